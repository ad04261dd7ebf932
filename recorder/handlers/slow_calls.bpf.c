// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keep only system calls that took 10 ms or more, with the stack of those that
 * took 100 ms, and tell "lkst watch" of these.
 *
 *	lkst handler load slow_calls slow_calls.bpf.c
 *	lkst handler set syscall_time slow_calls
 */
#include "handler.h"

#define MS 1000000

LKST_HANDLER(slot)
{
	const struct lkst_syscall_time *e = LKST_FIELDS(slot, syscall_time);

	if (e->delay < 10 * MS)
		return LKST_DROP;
	if (e->delay < 100 * MS)
		return LKST_KEEP;
	lkst_tell(slot);
	return LKST_KEEP_STACK;
}
