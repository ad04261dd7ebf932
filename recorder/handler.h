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
 * The record lies in struct lkst_slot (layout.h) and is not yet in the ring: what
 * the handler changes in the fields is what gets recorded, but for texts, of which
 * it sees the beginning. The fields of each event are in "struct lkst_EVENT"; see
 * events.h, or "lkst events EVENT". Its pid is lkst_pid_of(slot), its CPU lkst_cpu_of(slot),
 * its time slot->ts. LKST_EVENT(EVENT) is the event's number, lkst_event_of(slot) that of
 * this record, so that one handler can serve several events.
 *
 * A handler may use bpf_* functions as programs of tracepoints may, and:
 *
 *	lkst_tell(slot)			tell "lkst watch"
 *	lkst_use("NAME", ns)		make a loaded maskset active, for a time or (0) for
 *					good; false if it is not loaded: "lkst mask load NAME"
 *	lkst_freeze(slots)		let each ring take so many slots more, then freeze it
 *	lkst_switch_buffer()		go on in a spare buffer, keep this one
 *
 * It is called on any CPU, in any context, NMIs too, and must be quick. Its variables
 * are apart for each hook that it is set for. The license
 * of its file has to be compatible with the GPL; this header says "GPL" for it.
 */
#ifndef LKST_HANDLER_H
#define LKST_HANDLER_H

#include "actions.h"
#include "types.h"
#include <bpf/bpf_core_read.h>

#define FIELD(type, name, unit) lkst_##type name;
#define EVENT(name, category, old, hook, by_default, description, fields)                          \
	struct lkst_##name {                                                                       \
		fields                                                                             \
	} __attribute__((packed, aligned(8)));
#include "events.h"
#undef EVENT
#undef FIELD

enum {
	LKST_EVENT_none,
#define EVENT(name, ...) LKST_EVENT_##name,
#include "events.h"
#undef EVENT
};

#define LKST_EVENT(name) LKST_EVENT_##name
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
			if (lkst_control.maskset[i][j] != name[j])
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
