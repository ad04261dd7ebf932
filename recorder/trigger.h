/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What triggers do when they fire, and the records of the recorder's own events. */
#ifndef LKST_TRIGGER_H
#define LKST_TRIGGER_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "actions.h"
#include "catalogue.h"
#include "evaluate.h"
#include "kernel.h"
#include "layout.h"
#include "maps.h"
#include "slot.h"

/*
 * Record an event of the recorder itself, from any program. @fields are the statements that
 * fill in e, a pointer to the record's fields.
 */
#define RECORD_INTERNAL(event, now, fields)                                                        \
	do {                                                                                       \
		const struct task_struct *task = bpf_get_current_task_btf();                       \
		struct record internal;                                                            \
                                                                                                   \
		if (wanted(EV_##event) &&                                                          \
		    claim_slots(&internal, what_of(EV_##event, 1, task->pid), now, true)) {        \
			struct lkst_##event *e = (struct lkst_##event *)internal.slot->payload;    \
                                                                                                   \
			fields;                                                                    \
			commit(&internal);                                                         \
		}                                                                                  \
	} while (0)

/* Record which maskset is active now. */
static __always_inline void record_maskset_use(void)
{
	__u32 active = lkst_control.active_maskset % LKST_MAX_MASKSETS;

	RECORD_INTERNAL(maskset_use, bpf_ktime_get_ns(),
			copy_16_bytes(e->name, lkst_control.maskset_name[active]));
}

struct trigger_run {
	const struct lkst_slot *slot;
	__u32 triggers;
};

static long run_trigger(__u32 index, void *data)
{
	volatile struct lkst_trigger *trigger = &lkst_control.trigger[index % LKST_MAX_TRIGGERS];
	const struct trigger_run *run = data;
	__u32 actions = trigger->actions;

	if (!(run->triggers & 1U << index))
		return 0;
	RECORD_INTERNAL(trigger_fired, run->slot->ts, {
		copy_16_bytes(e->name, trigger->name);
		e->on = lkst_event_of(run->slot);
	});
	if (actions & LKST_DO_NOTIFY)
		lkst_notify(index, actions, run->slot);
	if (actions & LKST_DO_MASK) {
		lkst_use_maskset(trigger->maskset, trigger->duration);
		record_maskset_use();
	}
	if (actions & LKST_DO_FREEZE)
		lkst_freeze(trigger->freeze);
	if (actions & LKST_DO_SWITCH)
		lkst_switch_buffer();
	return 0;
}

/* Run the actions of @triggers, one bit for each, which the event in @slot has fired. */
__noinline int lkst_run_triggers(struct lkst_slot *slot, __u32 triggers)
{
	struct trigger_run run = {slot, triggers};

	if (slot)
		bpf_loop(LKST_MAX_TRIGGERS, run_trigger, &run, 0);
	return 0;
}

#endif
