/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel tells programs about clocks, in the page that holds the code of um_vdso.c too. */

#include <linux/types.h>

#define HOST_CLOCK_MARK_1 0x7477696e73746163ULL
#define HOST_CLOCK_MARK_2 0x6b2e636c6f636b21ULL

/*
 * mark: by which the kernel finds it in the page.
 * sequence: odd while it is being written, 0 as long as there is nothing to read.
 * rate: nanoseconds of one step of the counter, times 2^32.
 * counter: the processor's counter when the clocks showed what is below, in nanoseconds.
 * valid: steps of the counter after which the kernel is to be asked.
 */
struct host_clock {
	u64 mark[2];
	u32 sequence;
	u32 rate;
	u64 counter;
	u64 valid;
	u64 monotonic;
	u64 realtime;
	u64 boottime;
};
