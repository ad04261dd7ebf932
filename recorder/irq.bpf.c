// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Categories irq, softirq, timer, workqueue and power:
 * include/trace/events/{irq,nmi,timer,workqueue,power,ipi,cpuhp}.h,
 * arch/x86/include/asm/trace/irq_vectors.h, tasklet_hi_action()
 */
#include "record.h"

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(irq_handler_entry, int irq, struct irqaction *action)
{
	RECORD(irq_handler_entry, e);
	e->handler = (__u64)action->handler;
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), action->name);
	e->irq = irq;
	COMMIT();
	return 0;
}

SEC("tp_btf/irq_handler_exit")
int BPF_PROG(irq_handler_exit, int irq, struct irqaction *action, int ret)
{
	RECORD(irq_handler_exit, e);
	e->irq = irq;
	e->handled = ret;
	COMMIT();
	return 0;
}

#define VECTOR_EVENT(name)                                                                         \
	SEC("tp_btf/" #name)                                                                       \
	int BPF_PROG(name, int vector)                                                             \
	{                                                                                          \
		RECORD(name, e);                                                                   \
		e->vector = vector;                                                                \
		COMMIT();                                                                          \
		return 0;                                                                          \
	}

VECTOR_EVENT(local_timer_entry)
VECTOR_EVENT(reschedule_entry)
VECTOR_EVENT(call_function_entry)
VECTOR_EVENT(call_function_single_entry)

/* Later than 6.1 */
SEC("tp_btf/ipi_send_cpu")
int BPF_PROG(ipi_send_cpu, unsigned int cpu, unsigned long callsite, void *callback)
{
	RECORD(ipi_send_cpu, e);
	e->callsite = callsite;
	e->callback = (__u64)callback;
	e->target_cpu = cpu;
	COMMIT();
	return 0;
}

#define SOFTIRQ_EVENT(name)                                                                        \
	SEC("tp_btf/" #name)                                                                       \
	int BPF_PROG(name, unsigned int vec)                                                       \
	{                                                                                          \
		RECORD(name, e);                                                                   \
		e->vec = vec;                                                                      \
		COMMIT();                                                                          \
		return 0;                                                                          \
	}

SOFTIRQ_EVENT(softirq_raise)
SOFTIRQ_EVENT(softirq_entry)
SOFTIRQ_EVENT(softirq_exit)

#define TASKLET_EVENT(name)                                                                        \
	SEC("tp_btf/" #name)                                                                       \
	int BPF_PROG(name, void *tasklet, void *func)                                              \
	{                                                                                          \
		RECORD(name, e);                                                                   \
		e->func = (__u64)func;                                                             \
		e->tasklet = (__u64)tasklet;                                                       \
		COMMIT();                                                                          \
		return 0;                                                                          \
	}

TASKLET_EVENT(tasklet_entry)
TASKLET_EVENT(tasklet_exit)

extern const struct tasklet_head tasklet_hi_vec __ksym __weak;

SEC("fentry/tasklet_hi_action")
int BPF_PROG(tasklet_hi_action)
{
	const struct tasklet_struct *tasklet = NULL;

	RECORD(tasklet_hi_action, e);
	if (&tasklet_hi_vec) {
		const struct tasklet_head *vec = bpf_this_cpu_ptr(&tasklet_hi_vec);

		tasklet = vec->head;
	}
	e->func = tasklet ? (__u64)tasklet->func : 0;
	e->tasklet = (__u64)tasklet;
	COMMIT();
	return 0;
}

SEC("tp_btf/nmi_handler")
int BPF_PROG(nmi_handler, void *handler, __s64 delta, int handled)
{
	RECORD(nmi_handler, e);
	e->handler = (__u64)handler;
	e->duration = delta;
	e->handled = handled;
	COMMIT();
	return 0;
}

SEC("tp_btf/timer_start")
int BPF_PROG(timer_start, struct timer_list *timer)
{
	RECORD(timer_start, e);
	e->function = (__u64)timer->function;
	e->timer = (__u64)timer;
	/* Later kernels pass when the bucket of the timer wheel expires. */
	e->expires = timer->expires;
	COMMIT();
	return 0;
}

#define TIMER_EVENT(name, type, field)                                                             \
	SEC("tp_btf/" #name)                                                                       \
	int BPF_PROG(name, struct type *field)                                                     \
	{                                                                                          \
		RECORD(name, e);                                                                   \
		e->function = (__u64)field->function;                                              \
		e->field = (__u64)field;                                                           \
		COMMIT();                                                                          \
		return 0;                                                                          \
	}

TIMER_EVENT(timer_cancel, timer_list, timer)
TIMER_EVENT(timer_expire_entry, timer_list, timer)
TIMER_EVENT(hrtimer_start, hrtimer, hrtimer)
TIMER_EVENT(hrtimer_cancel, hrtimer, hrtimer)

/* The timer may be freed by now: only its address is of use. */
#define TIMER_EXIT_EVENT(name, field)                                                              \
	SEC("tp_btf/" #name)                                                                       \
	int BPF_PROG(name, void *field)                                                            \
	{                                                                                          \
		RECORD(name, e);                                                                   \
		e->field = (__u64)field;                                                           \
		COMMIT();                                                                          \
		return 0;                                                                          \
	}

TIMER_EXIT_EVENT(timer_expire_exit, timer)
TIMER_EXIT_EVENT(hrtimer_expire_exit, hrtimer)

/* The time is passed by a pointer, or, later, by its value, which is not negative. */
SEC("tp_btf/hrtimer_expire_entry")
int BPF_PROG(hrtimer_expire_entry, struct hrtimer *hrtimer, __s64 now)
{
	RECORD(hrtimer_expire_entry, e);
	e->function = (__u64)hrtimer->function;
	e->hrtimer = (__u64)hrtimer;
	if (now < 0)
		bpf_probe_read_kernel(&e->now, sizeof(e->now), (void *)now);
	else
		e->now = now;
	COMMIT();
	return 0;
}

SEC("tp_btf/workqueue_queue_work")
int BPF_PROG(workqueue_queue_work, int req_cpu, void *pwq, struct work_struct *work)
{
	RECORD(workqueue_queue_work, e);
	e->function = (__u64)work->func;
	e->work = (__u64)work;
	/* WORK_CPU_UNBOUND is the kernel's NR_CPUS. */
	e->req_cpu = (__u32)req_cpu < lkst_catalogue.header.nr_cpus ? req_cpu : -1;
	COMMIT();
	return 0;
}

SEC("tp_btf/workqueue_execute_start")
int BPF_PROG(workqueue_execute_start, struct work_struct *work)
{
	RECORD(workqueue_execute_start, e);
	e->function = (__u64)work->func;
	e->work = (__u64)work;
	COMMIT();
	return 0;
}

/*
 * The work item may be freed by now: only its address is of use. A raw tracepoint,
 * since a typed one gives no access to a pointer to a function.
 */
SEC("raw_tp/workqueue_execute_end")
int BPF_PROG(workqueue_execute_end, void *work, void *function)
{
	RECORD(workqueue_execute_end, e);
	e->function = (__u64)function;
	e->work = (__u64)work;
	COMMIT();
	return 0;
}

SEC("tp_btf/cpu_idle")
int BPF_PROG(cpu_idle, unsigned int state, unsigned int cpu_id)
{
	RECORD(cpu_idle, e);
	e->state = state;
	e->cpu_id = cpu_id;
	COMMIT();
	return 0;
}

/* A raw tracepoint, since a typed one gives no access to a pointer to a function. */
SEC("raw_tp/cpuhp_enter")
int BPF_PROG(cpuhp_enter, unsigned int cpu, int target, int step, void *function)
{
	RECORD(cpuhp_enter, e);
	e->function = (__u64)function;
	e->cpu_id = cpu;
	e->target = target;
	e->step = step;
	COMMIT();
	return 0;
}

SEC("tp_btf/cpuhp_exit")
int BPF_PROG(cpuhp_exit, unsigned int cpu, int state, int step, int ret)
{
	RECORD(cpuhp_exit, e);
	e->cpu_id = cpu;
	e->state = state;
	e->step = step;
	e->ret = ret;
	COMMIT();
	return 0;
}
