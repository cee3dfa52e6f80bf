// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clocks of a user-mode kernel that programs read by themselves, in place of the kernel's own um_vdso.c.
 *
 * That one makes a system call of every look at a clock. In user-mode Linux a system call costs two changes of process
 * on the machine below, and programs in Go look at a clock thousands of times a second: it was half of what the lab's
 * API server did. Here a program takes what the kernel wrote last (host_clock.c) and goes on from it by the processor's
 * own counter. Where the kernel has written nothing, or not for long, it is asked as before.
 */

#include <linux/compiler.h>
#include <linux/types.h>
#include <linux/time_types.h>
#include <linux/time.h>
#include <asm/unistd.h>

#include "host_clock.h"

static const volatile struct host_clock host_clock __attribute__((used)) = { .mark = { HOST_CLOCK_MARK_1, HOST_CLOCK_MARK_2 } };

static inline u64 counter(void)
{
	u32 low, high;

	/* Not before what was read before. */
	asm volatile("lfence; rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (u64)high << 32 | low;
}

static inline long ask_kernel(long number, long first, long second)
{
	long answer;

	asm volatile("syscall"
		     : "=a" (answer)
		     : "0" (number), "D" (first), "S" (second)
		     : "rcx", "r11", "memory");
	return answer;
}

/* Nanoseconds on a clock, false when the kernel has to be asked. */
static inline bool read_clock(clockid_t clock, u64 *nanoseconds)
{
	u32 sequence, rate;
	u64 past, time;

	do {
		sequence = host_clock.sequence;
		if (sequence == 0 || sequence & 1)
			return false;
		barrier();
		past = counter() - host_clock.counter;
		if (past > host_clock.valid)
			return false;
		rate = host_clock.rate;
		switch (clock) {
		case CLOCK_MONOTONIC:
			time = host_clock.monotonic;
			break;
		case CLOCK_REALTIME:
			time = host_clock.realtime;
			break;
		case CLOCK_BOOTTIME:
			time = host_clock.boottime;
			break;
		default:
			return false;
		}
		barrier();
	} while (host_clock.sequence != sequence);
	*nanoseconds = time + (past * rate >> 32);
	return true;
}

/* Functions that programs see must not call each other: nothing here resolves such a call. */
static inline int get_time(clockid_t clock, struct __kernel_timespec *ts)
{
	u64 now;

	if (!read_clock(clock, &now))
		return ask_kernel(__NR_clock_gettime, clock, (long)ts);
	ts->tv_sec = now / NSEC_PER_SEC;
	ts->tv_nsec = now % NSEC_PER_SEC;
	return 0;
}

int __vdso_clock_gettime(clockid_t clock, struct __kernel_timespec *ts);
int __vdso_clock_gettime(clockid_t clock, struct __kernel_timespec *ts)
{
	return get_time(clock, ts);
}
int clock_gettime(clockid_t clock, struct __kernel_timespec *ts)
	__attribute__((weak, alias("__vdso_clock_gettime")));

int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz);
int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz)
{
	u64 now;

	if (!tv || tz || !read_clock(CLOCK_REALTIME, &now))
		return ask_kernel(__NR_gettimeofday, (long)tv, (long)tz);
	tv->tv_sec = now / NSEC_PER_SEC;
	tv->tv_usec = now % NSEC_PER_SEC / NSEC_PER_USEC;
	return 0;
}
int gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz)
	__attribute__((weak, alias("__vdso_gettimeofday")));

__kernel_old_time_t __vdso_time(__kernel_old_time_t *t);
__kernel_old_time_t __vdso_time(__kernel_old_time_t *t)
{
	struct __kernel_timespec now;
	__kernel_old_time_t seconds;

	/* Not by the system call of that name, which goes by the last tick and may be a second behind. */
	get_time(CLOCK_REALTIME, &now);
	seconds = now.tv_sec;
	if (t)
		*t = seconds;
	return seconds;
}
__kernel_old_time_t time(__kernel_old_time_t *t) __attribute__((weak, alias("__vdso_time")));
