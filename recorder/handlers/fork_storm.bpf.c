// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When more than 200 tasks are created within a second, switch to the maskset
 * "storm" for ten seconds, tell "lkst watch", and let the rings keep what led here
 * and 5,000 slots more.
 *
 *	lkst mask new storm --from all
 *	lkst mask load storm
 *	lkst handler load fork_storm fork_storm.bpf.c
 *	lkst handler set sched_process_fork fork_storm
 */
#include "handler.h"

#define SECOND 1000000000ULL
#define MANY 200

static __u64 second;
static __u64 forks;

LKST_HANDLER(slot)
{
	__u64 now = slot->ts / SECOND;

	if (now != second) {
		/* Two CPUs may both think that they are the first; a storm is no less one. */
		second = now;
		forks = 0;
	}
	if (__sync_fetch_and_add(&forks, 1) == MANY) {
		lkst_tell(slot);
		lkst_use("storm", 10 * SECOND);
		lkst_freeze(5000);
	}
	return LKST_KEEP;
}
