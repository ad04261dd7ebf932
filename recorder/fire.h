/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens when triggers fire; included by ring.h, since it writes records. */

/* Record something about the recorder itself, from wherever it happens. */
#define NOTE(event, now, fields)                                                                   \
	do {                                                                                       \
		const struct task_struct *task = bpf_get_current_task_btf();                       \
		struct record note;                                                                \
                                                                                                   \
		if (wanted(EV_##event) &&                                                          \
		    claim_any(&note, what_of(EV_##event, 1, task->pid), now, true)) {              \
			struct lkst_##event *e = (struct lkst_##event *)note.slot->payload;        \
                                                                                                   \
			fields;                                                                    \
			commit(&note);                                                             \
		}                                                                                  \
	} while (0)

static __always_inline void copy_words(void *to, volatile void *from)
{
	((__u64 *)to)[0] = ((volatile __u64 *)from)[0];
	((__u64 *)to)[1] = ((volatile __u64 *)from)[1];
}

static __always_inline void note_maskset(void)
{
	__u32 active = lkst_control.active % LKST_MAX_MASKSETS;

	NOTE(maskset_use, bpf_ktime_get_ns(), copy_words(e->name, lkst_control.maskset[active]));
}

struct firing {
	const struct lkst_slot *slot;
	__u32 triggers;
};

static long fire_one(__u32 index, void *data)
{
	volatile struct lkst_trigger *trigger = &lkst_control.trigger[index % LKST_MAX_TRIGGERS];
	const struct firing *firing = data;
	__u32 actions = trigger->actions;

	if (!(firing->triggers & 1U << index))
		return 0;
	NOTE(trigger_fired, firing->slot->ts, {
		copy_words(e->name, trigger->name);
		e->on = lkst_event_of(firing->slot);
	});
	if (actions & LKST_DO_NOTIFY)
		lkst_notify(index, actions, firing->slot);
	if (actions & LKST_DO_MASK) {
		lkst_use_maskset(trigger->maskset, trigger->duration);
		note_maskset();
	}
	if (actions & LKST_DO_FREEZE)
		lkst_freeze(trigger->freeze);
	if (actions & LKST_DO_SWITCH)
		lkst_switch_buffer();
	return 0;
}

__noinline int lkst_fire(struct lkst_slot *slot, __u32 triggers)
{
	struct firing firing = {slot, triggers};

	if (slot)
		bpf_loop(LKST_MAX_TRIGGERS, fire_one, &firing, 0);
	return 0;
}
