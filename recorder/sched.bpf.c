// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Categories sched and signal: include/trace/events/{sched,task,signal}.h,
 * schedule() and kernel_thread().
 */
#include "read_kernel.h"
#include "record.h"

#define TASK_PREEMPTED (1U << 31)

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	RECORD_PID(sched_switch, e, prev->pid);
	copy_comm(e->prev_comm, prev);
	copy_comm(e->next_comm, next);
	e->prev_state = state_left_in(prev, prev_state) | (preempt ? TASK_PREEMPTED : 0);
	e->next_pid = next->pid;
	COMMIT();
	return 0;
}

SEC("fentry/schedule")
int BPF_PROG(schedule)
{
	RECORD(schedule, e);
	e->state = bpf_get_current_task_btf()->__state;
	COMMIT();
	return 0;
}

SEC("fexit/schedule")
int BPF_PROG(schedule_exit)
{
	const struct task_struct *task = bpf_get_current_task_btf();

	RECORD_PID(schedule_exit, e, task->pid);
	e->run_delay = 0;
	/* CONFIG_SCHED_INFO */
	if (bpf_core_field_exists(task->sched_info.run_delay))
		e->run_delay = task->sched_info.run_delay;
	COMMIT();
	return 0;
}

/* The flags are the last argument on all kernels. */
SEC("fexit/kernel_thread")
int BPF_PROG(kernel_thread)
{
	__u64 ret = 0;
	__s32 pid;

	RECORD(kernel_thread, e);
	e->fn = e->arg = e->flags = 0;
	bpf_get_func_arg(ctx, 0, &e->fn);
	bpf_get_func_arg(ctx, 1, &e->arg);
	bpf_get_func_arg(ctx, bpf_get_func_arg_cnt(ctx) - 1, &e->flags);
	bpf_get_func_ret(ctx, &ret);
	pid = ret;
	e->child_pid = pid > 0 ? pid : 0;
	e->error = pid > 0 ? 0 : pid;
	COMMIT();
	return 0;
}

#define WAKEUP_EVENT(name)                                                                         \
	SEC("tp_btf/" #name)                                                                       \
	int BPF_PROG(name, struct task_struct *p)                                                  \
	{                                                                                          \
		RECORD(name, e);                                                                   \
		copy_comm(e->comm, p);                                                             \
		e->pid = p->pid;                                                                   \
		e->prio = p->prio;                                                                 \
		e->target_cpu = cpu_of(p);                                                         \
		COMMIT();                                                                          \
		return 0;                                                                          \
	}

WAKEUP_EVENT(sched_waking)
WAKEUP_EVENT(sched_wakeup)
WAKEUP_EVENT(sched_wakeup_new)

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(sched_migrate_task, struct task_struct *p, int dest_cpu)
{
	RECORD(sched_migrate_task, e);
	copy_comm(e->comm, p);
	e->pid = p->pid;
	e->orig_cpu = cpu_of(p);
	e->dest_cpu = dest_cpu;
	COMMIT();
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	RECORD_PID(sched_process_fork, e, parent->pid);
	copy_comm(e->comm, parent);
	copy_comm(e->child_comm, child);
	e->child_pid = child->pid;
	e->child_tgid = child->tgid;
	COMMIT();
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(sched_process_exec, struct task_struct *p, int old_pid, struct linux_binprm *bprm)
{
	struct lkst_sched_process_exec e = {};

	if (!wanted(EV_sched_process_exec))
		return 0;
	copy_comm(e.comm, p);
	e.old_pid = old_pid;
	record_string(ctx, EV_sched_process_exec, &e, offsetof(typeof(e), filename) + 2,
		      bprm->filename);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(sched_process_exit, struct task_struct *p)
{
	RECORD_PID(sched_process_exit, e, p->pid);
	copy_comm(e->comm, p);
	e->exit_code = p->exit_code;
	e->tgid = p->tgid;
	COMMIT();
	return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(task_rename, struct task_struct *task, const char *comm)
{
	RECORD(task_rename, e);
	copy_comm(e->oldcomm, task);
	__builtin_memset(e->newcomm, 0, sizeof(e->newcomm));
	bpf_probe_read_kernel_str(e->newcomm, sizeof(e->newcomm), comm);
	e->pid = task->pid;
	COMMIT();
	return 0;
}

/* siginfo may be SEND_SIG_NOINFO (0) or SEND_SIG_PRIV (1) instead of a pointer. */
static __always_inline void read_siginfo(const struct kernel_siginfo *info, __s32 *code,
					 __s32 *error)
{
	const __s32 si_user = 0, si_kernel = 0x80;

	if ((unsigned long)info <= 1) {
		*code = info ? si_kernel : si_user;
		*error = 0;
		return;
	}
	*code = BPF_CORE_READ(info, si_code);
	*error = BPF_CORE_READ(info, si_errno);
}

SEC("tp_btf/signal_generate")
int BPF_PROG(signal_generate, int sig, struct kernel_siginfo *info, struct task_struct *task,
	     int group, int result)
{
	RECORD(signal_generate, e);
	copy_comm(e->comm, task);
	e->pid = task->pid;
	e->sig = sig;
	read_siginfo(info, &e->code, &e->errno);
	e->group = group != 0;
	e->result = result;
	COMMIT();
	return 0;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(signal_deliver, int sig, struct kernel_siginfo *info, struct k_sigaction *ka)
{
	RECORD(signal_deliver, e);
	e->sa_handler = (__u64)ka->sa.sa_handler;
	e->sa_flags = ka->sa.sa_flags;
	e->sig = sig;
	read_siginfo(info, &e->code, &e->errno);
	COMMIT();
	return 0;
}
