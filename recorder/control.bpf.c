// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs that the control side runs, the timers, and the programs that follow tasks. */
#include "clock.h"
#include "record.h"

struct lkst_start_args {
	__s64 real_offset;
	__u64 tk_core; /* address of the kernel's variable tk_core; 0: not known */
};

SEC("raw_tp")
int lkst_start(struct lkst_start_args *ctx)
{
	RECORD(lkst_start, e);
	e->real_offset = ctx->real_offset;
	COMMIT();
	find_timekeeper(ctx->tk_core, ctx->real_offset);
	return 0;
}

struct lkst_mark_args {
	__u64 text; /* user address */
	__u64 size;
};

/* The text of a mark, in the kernel's memory. */
struct mark {
	__u32 taken;
	char text[TEXT_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mark);
} lkst_marks SEC(".maps");

#define MARK_UNWANTED 1
#define MARK_BUSY 2 /* this one has preempted one that is being written */

SEC("raw_tp")
int lkst_mark(struct lkst_mark_args *ctx)
{
	__u32 zero = 0, size = ctx->size;
	struct mark *mark = bpf_map_lookup_elem(&lkst_marks, &zero);
	int error = MARK_UNWANTED;
	__u16 fixed;

	check_clock();
	if (!mark || !wanted(EV_mark))
		return MARK_UNWANTED;
	if (__sync_val_compare_and_swap(&mark->taken, 0, 1))
		return MARK_BUSY;
	if (size > TEXT_MAX)
		size = TEXT_MAX;
	if (!bpf_probe_read_user(mark->text, size, (const void *)ctx->text)) {
		record_text(ctx, EV_mark, &fixed, sizeof(fixed), mark->text, ctx->size);
		error = 0;
	}
	*(volatile __u32 *)&mark->taken = 0;
	return error;
}

/* Make a maskset the active one, and record that. */
SEC("raw_tp")
int lkst_use(__u64 *ctx)
{
	lkst_use_maskset(ctx[0] % LKST_MAX_MASKSETS, 0);
	record_maskset_use();
	return 0;
}

#define CLOCK_MONOTONIC 1 /* include/uapi/linux/time.h */

struct timer {
	struct bpf_timer timer;
};

/* A timer for each CPU, so that a CPU that hangs does not stop them all. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timer);
} lkst_timers SEC(".maps");

static __always_inline int record_heartbeat_age(__u64 age)
{
	struct lkst_slot scratch = {.ts = bpf_ktime_get_ns()};
	struct lkst_heartbeat_age *e = (struct lkst_heartbeat_age *)scratch.payload;
	__u64 verdict;
	struct record r;

	if (!wanted(EV_heartbeat_age))
		return 0;
	scratch.what = what_of(EV_heartbeat_age, 1, current_pid());
	e->delay = age;
	/* A timer's callback has no context from which a stack could be taken. */
	verdict = lkst_evaluate(&scratch) & ~VERDICT_STACK;
	record_evaluated(NULL, &r, &scratch, verdict, NULL, 0);
	return 0;
}

static int tick(void *map, __u32 *cpu, struct timer *timer)
{
	__u64 now = bpf_ktime_get_ns(), until = lkst_control.active_until,
	      beat = lkst_control.last_heartbeat;

	check_clock();
	if (until && now >= until &&
	    __sync_val_compare_and_swap(&lkst_control.active_until, until, 0) == until) {
		lkst_control.active_maskset = lkst_control.base_maskset;
		record_maskset_use();
	}
	if (beat && now > beat)
		record_heartbeat_age(now - beat);
	if (lkst_control.timer_period)
		bpf_timer_start(&timer->timer, lkst_control.timer_period, 0);
	return 0;
}

/* Start this CPU's timer. */
SEC("syscall")
int lkst_tick(void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct timer *timer = bpf_map_lookup_elem(&lkst_timers, &cpu);

	if (!timer)
		return 1;
	/* Fails if the timer is initialised already, which is as good. */
	bpf_timer_init(&timer->timer, &lkst_timers, CLOCK_MONOTONIC);
	if (bpf_timer_set_callback(&timer->timer, tick))
		return 1;
	return bpf_timer_start(&timer->timer, lkst_control.timer_period, 0) != 0;
}

/* Masksets that follow the parent and its children follow the child as well. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(follow__sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 pid = parent->pid, child_pid = child->pid, masksets;
	__u32 *followed = bpf_map_lookup_elem(&lkst_followed, &pid);

	if (!followed)
		return 0;
	masksets = *followed;
	/* A new thread is followed as its process is. */
	if (parent->tgid != child->tgid)
		masksets &= lkst_control.follow_children;
	if (masksets && bpf_map_update_elem(&lkst_followed, &child_pid, &masksets, BPF_ANY))
		__sync_fetch_and_add(&lkst_control.tasks_not_followed, 1);
	return 0;
}

/* Not when the task exits: the events of its exit are still to be recorded. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(follow__sched_process_free, struct task_struct *p)
{
	__u32 pid = p->pid;

	bpf_map_delete_elem(&lkst_followed, &pid);
	return 0;
}
