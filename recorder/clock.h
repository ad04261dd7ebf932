/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of the wall clock. The kernel slews CLOCK_MONOTONIC together with CLOCK_REALTIME, so
 * their difference changes only when the clock is set, at a leap second, and by a suspend.
 * The kernel's timekeeper has the difference. Nothing else has it on all kernels:
 * bpf_ktime_get_tai_ns() has another offset, which changes as well.
 */
#ifndef LKST_CLOCK_H
#define LKST_CLOCK_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "catalogue.h"
#include "kernel.h"
#include "layout.h"
#include "maps.h"
#include "slot.h"
#include "trigger.h"

/* Most that the timekeeper's offset may differ from the one that user space has read. */
#define MAX_OFFSET_DIFFERENCE_NS 100000000LL

/*
 * Find the timekeeper behind the sequence counter in tk_core. Trust it only if its offset
 * is the one that user space has just read.
 */
static __always_inline void find_timekeeper(__u64 tk_core, __s64 real_offset)
{
	volatile struct lkst_clock *clock = &lkst_control.clock;
	__u64 offset, start = bpf_ktime_get_ns();
	const struct timekeeper *tk;
	__s64 found, boot;

	if (!tk_core)
		return;
	if (bpf_core_type_exists(struct tk_data))
		offset = bpf_core_field_offset(struct tk_data, timekeeper);
	else
		offset = bpf_core_type_size(seqcount_raw_spinlock_t) + 7 & ~7ULL;
	tk = (const struct timekeeper *)(tk_core + offset);
	if (bpf_probe_read_kernel(&found, sizeof(found), &tk->offs_real) ||
	    found - real_offset > MAX_OFFSET_DIFFERENCE_NS ||
	    real_offset - found > MAX_OFFSET_DIFFERENCE_NS)
		return;
	if (!bpf_probe_read_kernel(&boot, sizeof(boot), &tk->offs_boot))
		clock->boot_offset = boot;
	clock->real_offset = found;
	clock->checked = start;
	clock->timekeeper = (__u64)tk;
}

/* Record a step of the clock since the last check. Safe in any context. */
static __noinline __attribute__((unused)) int check_clock(void)
{
	volatile struct lkst_clock *clock = &lkst_control.clock;
	const struct timekeeper *tk = (const struct timekeeper *)clock->timekeeper;
	__u64 now = bpf_ktime_get_ns(), since = clock->checked;
	__s64 old = clock->real_offset, offset, boot = 0;
	volatile struct lkst_step *step;

	if (!tk || bpf_probe_read_kernel(&offset, sizeof(offset), &tk->offs_real))
		return 0;
	if (offset == old) {
		clock->checked = now;
		return 0;
	}
	/* If several CPUs see the step at once, one records it. */
	if (__sync_val_compare_and_swap(&clock->real_offset, old, offset) != old)
		return 0;
	bpf_probe_read_kernel(&boot, sizeof(boot), &tk->offs_boot);
	step = &clock->step[clock->nr % LKST_MAX_STEPS];
	step->since = clock->watched ? now : since;
	step->ts = now;
	step->real_offset = offset;
	step->boot_offset = boot;
	clock->checked = now;
	clock->nr++;
	RECORD_INTERNAL(clock_set, now, {
		e->real_offset = offset;
		e->old_real_offset = old;
		e->boot_offset = boot;
	});
	return 0;
}

#endif
