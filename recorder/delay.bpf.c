// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Category delay: times between two events, measured in the kernel. The programs of an
 * event are named EVENT__HOOK.
 *
 * The start times are in hash tables without locks. If two tasks or requests share an
 * entry, only the later one is measured.
 */
#include "read_kernel.h"
#include "record.h"

#define TASKS 16384
#define REQUESTS 4096

/* include/linux/sched.h */
#define TASK_UNINTERRUPTIBLE 0x2
#define TASK_NOLOAD 0x400

struct task_times {
	__u32 pid;
	__u32 born; /* lower half of the task's start time, since pids are reused */
	__u64 woken;
	__u64 blocked;
	__u64 syscall;
	__u64 wait;
	__u64 lock; /* that the task has waited for since @wait */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TASKS);
	__type(key, __u32);
	__type(value, struct task_times);
} lkst_tasks SEC(".maps");

struct request_time {
	__u64 rq;
	__u64 issued;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REQUESTS);
	__type(key, __u32);
	__type(value, struct request_time);
} lkst_requests SEC(".maps");

struct cpu_times {
	__u64 irq;
	__u64 softirq;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_times);
} lkst_cpu_times SEC(".maps");

/* Return the key of a task. Each CPU has its own idle task, all with pid 0. */
static __always_inline __u32 times_key(const struct task_struct *task)
{
	return task->pid ? task->pid : 1U << 31 | cpu_of(task);
}

/* Return the times of a task, or new ones. */
static __always_inline struct task_times *times_of(const struct task_struct *task)
{
	__u32 key = times_key(task), index = key % TASKS;
	struct task_times *times = bpf_map_lookup_elem(&lkst_tasks, &index);
	__u32 born = task->start_time;

	if (times && (times->pid != key || times->born != born)) {
		__builtin_memset(times, 0, sizeof(*times));
		times->pid = key;
		times->born = born;
	}
	return times;
}

/* Return the times of a task, or NULL if there are none. */
static __always_inline struct task_times *known_times_of(const struct task_struct *task)
{
	__u32 key = times_key(task), index = key % TASKS;
	struct task_times *times = bpf_map_lookup_elem(&lkst_tasks, &index);

	return times && times->pid == key ? times : NULL;
}

static __always_inline struct cpu_times *my_times(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&lkst_cpu_times, &zero);
}

/* Clear a start time, and return the ns since then, or 0 if there is none. */
static __always_inline __u64 take_elapsed(__u64 *started)
{
	__u64 start = *started;

	*started = 0;
	return start ? bpf_ktime_get_ns() - start : 0;
}

#define WOKEN(name)                                                                                \
	SEC("tp_btf/" #name)                                                                       \
	int BPF_PROG(wakeup_delay__##name, struct task_struct *p)                                  \
	{                                                                                          \
		struct task_times *times = times_of(p);                                            \
                                                                                                   \
		if (times)                                                                         \
			times->woken = bpf_ktime_get_ns();                                         \
		return 0;                                                                          \
	}

WOKEN(sched_wakeup)
WOKEN(sched_wakeup_new)

SEC("tp_btf/sched_switch")
int BPF_PROG(wakeup_delay__sched_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next)
{
	struct task_times *times = known_times_of(prev);
	__u64 delay;

	/* A task that was woken while it still ran has not waited since then. */
	if (times)
		times->woken = 0;
	times = times_of(next);
	delay = times && next->pid ? take_elapsed(&times->woken) : 0;
	if (!delay)
		return 0;
	{
		RECORD_PID(wakeup_delay, e, prev->pid);
		e->delay = delay;
		copy_comm(e->comm, next);
		e->pid = next->pid;
		COMMIT();
	}
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(blocked_time__sched_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next, unsigned int prev_state)
{
	struct task_times *times;

	prev_state = state_left_in(prev, prev_state);
	if (preempt || !(prev_state & TASK_UNINTERRUPTIBLE) || prev_state & TASK_NOLOAD)
		return 0;
	times = times_of(prev);
	if (times)
		times->blocked = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(blocked_time__sched_wakeup, struct task_struct *p)
{
	struct task_times *times = times_of(p);
	__u64 delay = times ? take_elapsed(&times->blocked) : 0;

	if (!delay)
		return 0;
	{
		RECORD(blocked_time, e);
		e->delay = delay;
		copy_comm(e->comm, p);
		e->pid = p->pid;
		COMMIT();
	}
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(syscall_time__sys_enter)
{
	struct task_times *times = times_of(bpf_get_current_task_btf());

	if (times)
		times->syscall = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(syscall_time__sys_exit, struct pt_regs *regs, long ret)
{
	struct task_times *times = times_of(bpf_get_current_task_btf());
	__u64 delay = times ? take_elapsed(&times->syscall) : 0;

	if (!delay)
		return 0;
	{
		RECORD(syscall_time, e);
		e->delay = delay;
		e->ret = ret;
		e->nr = regs->orig_ax;
		e->compat = abi_of(regs, regs->orig_ax);
		COMMIT();
	}
	return 0;
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(irq_time__irq_handler_entry)
{
	struct cpu_times *times = my_times();

	if (times)
		times->irq = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/irq_handler_exit")
int BPF_PROG(irq_time__irq_handler_exit, int irq, struct irqaction *action)
{
	struct cpu_times *times = my_times();
	__u64 delay = times ? take_elapsed(&times->irq) : 0;

	if (!delay)
		return 0;
	{
		RECORD(irq_time, e);
		e->delay = delay;
		e->handler = (__u64)action->handler;
		e->irq = irq;
		COMMIT();
	}
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_time__softirq_entry)
{
	struct cpu_times *times = my_times();

	if (times)
		times->softirq = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(softirq_time__softirq_exit, unsigned int vec)
{
	struct cpu_times *times = my_times();
	__u64 delay = times ? take_elapsed(&times->softirq) : 0;

	if (!delay)
		return 0;
	{
		RECORD(softirq_time, e);
		e->delay = delay;
		e->vec = vec;
		COMMIT();
	}
	return 0;
}

static __always_inline struct request_time *time_of(const struct request *rq)
{
	/* Requests are larger than 256 bytes, and aligned. */
	__u32 index = (__u64)rq / 256 % REQUESTS;

	return bpf_map_lookup_elem(&lkst_requests, &index);
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(block_time__block_rq_issue, struct request *rq)
{
	struct request_time *time = time_of(rq);

	if (time) {
		time->rq = (__u64)rq;
		time->issued = bpf_ktime_get_ns();
	}
	return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(block_time__block_rq_complete, struct request *rq, __u8 error, unsigned int nr_bytes)
{
	struct request_time *time = time_of(rq);
	__u64 delay = time && time->rq == (__u64)rq ? take_elapsed(&time->issued) : 0;

	if (!delay)
		return 0;
	{
		RECORD(block_time, e);
		e->delay = delay;
		FILL_REQUEST(e, rq);
		e->bytes = nr_bytes;
		COMMIT();
	}
	return 0;
}

SEC("tp_btf/contention_begin")
int BPF_PROG(lock_wait__contention_begin, void *lock)
{
	struct task_times *times = times_of(bpf_get_current_task_btf());

	if (times) {
		times->lock = (__u64)lock;
		times->wait = bpf_ktime_get_ns();
	}
	return 0;
}

SEC("tp_btf/contention_end")
int BPF_PROG(lock_wait__contention_end, void *lock, int ret)
{
	struct task_times *times = times_of(bpf_get_current_task_btf());
	__u64 delay = times && times->lock == (__u64)lock ? take_elapsed(&times->wait) : 0;

	if (!delay)
		return 0;
	{
		RECORD(lock_wait, e);
		e->delay = delay;
		e->lock = (__u64)lock;
		e->ret = ret;
		COMMIT();
	}
	return 0;
}
