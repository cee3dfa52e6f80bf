// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells programs what the kernel's clocks show, each time the kernel brings them up to date, a hundred times a second
 * while anything runs. From there programs go on by the processor's counter (um_vdso.c).
 *
 * They go a little slower than the clock does, and where they were ahead nevertheless, they are told to stay where they
 * are: a clock that goes back breaks programs, one that is some microseconds behind or ahead breaks none. It needs a
 * machine that reads its own time from the same counter on every processor, which is what the clock source tsc means;
 * elsewhere nothing is told, nor any more once the counter's pace changes.
 */

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/pvclock_gtod.h>
#include <linux/string.h>
#include <linux/timekeeper_internal.h>
#include <os.h>

#include "host_clock.h"

#define CLOCK_SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define SLOWER_SHIFT 13				/* 122 ppm */
#define STEADY_SHIFT 7				/* a counter whose pace changes by more than a 128th is none */
#define LONGEST_LOOK 60000			/* steps of the counter: 20 microseconds at 3 GHz */
#define SHORTEST_MEASURE (100 * NSEC_PER_MSEC)
#define MEASURE (2 * NSEC_PER_SEC)
#define VALID_FOR (50 * NSEC_PER_MSEC)		/* at 122 ppm that is 6 microseconds */

extern struct page *um_vdso;			/* of vma.c */

static volatile struct host_clock *told;
static u64 counter_before, monotonic_before;
static u64 pace;				/* nanoseconds of one step of the counter, times 2^32; 0 = not known yet */
static bool unsteady;

static u64 counter(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (u64)high << 32 | low;
}

static void stop_telling(void)
{
	told->sequence = 0;
}

/* The counter's pace since the last time; false when it is none to go by. */
static bool measure(u64 monotonic, u64 now)
{
	u64 past = monotonic - monotonic_before;
	u64 exact, last = pace;

	if (monotonic_before != 0 && past < (pace ? MEASURE : SHORTEST_MEASURE))
		return true;
	if (monotonic_before != 0) {
		if (now <= counter_before)
			return false;
		exact = mul_u64_u64_div_u64(past, 1ULL << 32, now - counter_before);
		if (exact == 0 || exact >> 32)
			return false;
		if (last && abs_diff(exact, last) > last >> STEADY_SHIFT)
			return false;
		pace = exact;
	}
	counter_before = now;
	monotonic_before = monotonic;
	return true;
}

static int clocks_changed(struct notifier_block *block, unsigned long was_set, void *data)
{
	struct timekeeper *keeper = data;
	struct tk_read_base *base = &keeper->tkr_mono;
	u64 before = counter();
	u64 cycles = (base->clock->read(base->clock) - base->cycle_last) & base->mask;
	u64 monotonic = ktime_to_ns(base->base) + ((cycles * base->mult + base->xtime_nsec) >> base->shift);
	u64 now = counter();			/* after the clock, so that nobody is ahead of it */
	u64 past = now - told->counter;
	u64 shown;

	if (unsteady)
		return NOTIFY_OK;
	if (now - before > LONGEST_LOOK) {	/* this machine did something else in between */
		if (was_set)
			stop_telling();
		return NOTIFY_OK;
	}
	if (!measure(monotonic, now)) {
		/* Deferred, because printing may ask for the time, which is locked here. */
		printk_deferred(KERN_INFO "host_clock: the processor's counter is not steady; "
				"every look at a clock is a system call\n");
		unsteady = true;
		stop_telling();
		return NOTIFY_OK;
	}
	if (pace == 0)
		return NOTIFY_OK;
	if (told->sequence && past <= told->valid) {
		shown = told->monotonic + (past * told->rate >> 32);
		if (shown > monotonic)
			monotonic = shown;
	}

	told->sequence |= 1;
	barrier();
	told->rate = pace - (pace >> SLOWER_SHIFT);
	told->counter = now;
	told->valid = div64_u64((u64)VALID_FOR << 32, pace);
	told->monotonic = monotonic;
	told->realtime = monotonic + ktime_to_ns(keeper->offs_real);
	told->boottime = monotonic + ktime_to_ns(keeper->offs_boot);
	barrier();
	told->sequence += 1;
	return NOTIFY_OK;
}

static struct notifier_block clocks = { .notifier_call = clocks_changed };

static bool __init counts_for_all(void)
{
	char name[16] = "";
	int file = os_open_file(CLOCK_SOURCE, of_read(OPENFLAGS()), 0);

	if (file < 0)
		return false;
	os_read_file(file, name, sizeof(name) - 1);
	os_close_file(file);
	return strcmp(strim(name), "tsc") == 0;
}

static int __init tell_programs(void)
{
	u64 *word = page_address(um_vdso);
	u64 *end = (void *)word + PAGE_SIZE - sizeof(struct host_clock);

	if (!counts_for_all()) {
		pr_info("host_clock: this machine's clock source is not tsc; every look at a clock is a system call\n");
		return 0;
	}
	for (; word <= end; word++)
		if (word[0] == HOST_CLOCK_MARK_1 && word[1] == HOST_CLOCK_MARK_2) {
			told = (void *)word;
			return pvclock_gtod_register_notifier(&clocks);
		}
	panic("host_clock: the page of the vDSO has no place for it");
}
late_initcall(tell_programs);
