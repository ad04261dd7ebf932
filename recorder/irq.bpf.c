// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Categories irq, softirq, timer, workqueue and power:
 * include/trace/events/{irq,nmi,timer,workqueue,power}.h
 */
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
int BPF_PROG(timer_start, struct timer_list *timer, unsigned long expires)
{
	RECORD(timer_start, e);
	e->function = (__u64)timer->function;
	e->timer = (__u64)timer;
	e->expires = expires;
	COMMIT();
	return 0;
}

SEC("tp_btf/timer_expire_entry")
int BPF_PROG(timer_expire_entry, struct timer_list *timer)
{
	RECORD(timer_expire_entry, e);
	e->function = (__u64)timer->function;
	e->timer = (__u64)timer;
	COMMIT();
	return 0;
}

/* The timer may be gone by now: only its address is of use. */
SEC("tp_btf/timer_expire_exit")
int BPF_PROG(timer_expire_exit, struct timer_list *timer)
{
	RECORD(timer_expire_exit, e);
	e->timer = (__u64)timer;
	COMMIT();
	return 0;
}

SEC("tp_btf/hrtimer_start")
int BPF_PROG(hrtimer_start, struct hrtimer *hrtimer)
{
	RECORD(hrtimer_start, e);
	e->function = (__u64)hrtimer->function;
	e->hrtimer = (__u64)hrtimer;
	COMMIT();
	return 0;
}

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

SEC("tp_btf/hrtimer_expire_exit")
int BPF_PROG(hrtimer_expire_exit, struct hrtimer *hrtimer)
{
	RECORD(hrtimer_expire_exit, e);
	e->hrtimer = (__u64)hrtimer;
	COMMIT();
	return 0;
}

SEC("tp_btf/workqueue_queue_work")
int BPF_PROG(workqueue_queue_work, int req_cpu, void *pwq, struct work_struct *work)
{
	RECORD(workqueue_queue_work, e);
	e->function = (__u64)work->func;
	e->work = (__u64)work;
	e->req_cpu = req_cpu;
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
 * The work item may be gone by now: only its address is of use. A raw tracepoint,
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
