/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For handlers that users write: include this, and define one handler.
 *
 *	#include "handler.h"
 *
 *	LKST_HANDLER(slot)
 *	{
 *		struct lkst_sys_enter *e = LKST_FIELDS(slot, sys_enter);
 *
 *		return e->nr == 0 ? LKST_DROP : LKST_KEEP;
 *	}
 *
 * The record is in a struct lkst_slot (layout.h), not yet in the ring. A handler may change
 * its fields before it is recorded; of a text it has the beginning, and changes there have no
 * effect. The fields of an event are in "struct lkst_EVENT": see events.h, or
 * "lkst events EVENT". lkst_pid_of(slot) is the record's pid, lkst_cpu_of(slot) its CPU,
 * slot->ts its time. A handler of several events compares lkst_event_of(slot), the id of the
 * record's event, with LKST_EVENT(EVENT).
 *
 * A handler returns LKST_KEEP, LKST_DROP or LKST_KEEP_STACK. It may call the bpf_* functions
 * that a tracepoint's program may call, and:
 *
 *	lkst_tell(slot)			notify "lkst watch"
 *	lkst_use("NAME", ns)		make a loaded maskset active, for a time or (0) for
 *					good; false if it is not loaded: "lkst mask load NAME"
 *	lkst_freeze(slots)		freeze each ring after so many more slots
 *	lkst_switch_buffer()		go on in a spare buffer, keep this one
 *
 * It runs on any CPU, in any context, NMIs too, and must be quick. Its variables exist once
 * for each hook that it is set for. The license of its file has to be compatible with the
 * GPL; this header says "GPL" for it.
 */
#ifndef LKST_HANDLER_H
#define LKST_HANDLER_H

#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "actions.h"
#include "catalogue.h"
#include "kernel.h"
#include "layout.h"
#include "maps.h"

#define LKST_EVENT(name) EV_##name
#define LKST_FIELDS(slot, name) ((struct lkst_##name *)(slot)->payload)

/* The loader writes here which of the users' handlers this is. */
const volatile __u32 lkst_number SEC(".rodata.number") = 0;

static __always_inline void lkst_tell(const struct lkst_slot *slot)
{
	lkst_notify(LKST_MAX_TRIGGERS + lkst_number, 0, slot);
}

static __noinline __attribute__((unused)) bool lkst_use_named(const char *name, __u32 size,
							      __u64 ns)
{
	__u32 i, j;

	for (i = 0; i < LKST_MAX_MASKSETS; i++) {
		for (j = 0; j < LKST_NAME_SIZE && j < size; j++)
			if (lkst_control.maskset_name[i][j] != name[j])
				break;
		if (j == size) {
			lkst_use_maskset(i, ns);
			return true;
		}
	}
	return false;
}

#define lkst_use(name, ns)                                                                         \
	({                                                                                         \
		static const char _name[] = name;                                                  \
		lkst_use_named(_name, sizeof(_name), ns);                                          \
	})

#define LKST_HANDLER(slot)                                                                         \
	static __always_inline int lkst_handle(struct lkst_slot *slot);                            \
	char _license[] SEC("license") = "GPL";                                                    \
	SEC("freplace/lkst_user_0")                                                                \
	int lkst_handler(struct lkst_slot *slot)                                                   \
	{                                                                                          \
		/* Some kernels want it to return 0, as a program of a tracepoint does. */         \
		if (slot)                                                                          \
			slot->commit = lkst_handle(slot);                                          \
		return 0;                                                                          \
	}                                                                                          \
	static __always_inline int lkst_handle(struct lkst_slot *slot)

#endif
