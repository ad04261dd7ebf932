// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs that see the wall clock step as it happens. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_tracing.h>

#include "clock.h"

/*
 * These are attached with any maskset: times would be wrong without them. The kernel calls
 * the first function whenever the clock is set and at leap seconds. It calls the second one
 * later, but also where a compiler has inlined the first.
 */
SEC("fentry/clock_was_set")
int BPF_PROG(watch__clock_was_set)
{
	return check_clock();
}

SEC("fentry/timerfd_clock_was_set")
int BPF_PROG(watch__timerfd_clock_was_set)
{
	return check_clock();
}

/* Fires before timekeeping is suspended and right after it is resumed. */
SEC("tp_btf/suspend_resume")
int BPF_PROG(watch__suspend_resume)
{
	return check_clock();
}
