/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every event, once. Included several times, with EVENT and FIELD defined for
 * what is wanted: the record's struct, the id, the entry in the catalogue.
 *
 *	EVENT(name, category, old name, hook, by default, description, fields)
 *	FIELD(type, name, unit)
 *
 * The unit of a comm is the field that holds the named task's pid, or "" for the
 * current task; of two names for one task, the first was until then.
 *
 * A new event is added here and as a program in the file of its category. Its
 * fields need no holes between them, and 40 bytes hold them all; a text comes
 * last and may go on in further slots.
 */
/* clang-format off */

/* The recorder itself */
EVENT(lkst_start, recorder, "LKST_INIT", "", 1, "the recorder starts",
      FIELD(s64, real_offset, "ns"))
EVENT(mark, recorder, "", "", 1, "what a user wrote", FIELD(text, text, ""))
EVENT(trigger_fired, recorder, "", "", 1, "a trigger fires",
      FIELD(name, name, "") FIELD(event, on, ""))
EVENT(maskset_use, recorder, "", "", 1, "another maskset is active from here on",
      FIELD(name, name, ""))

/* Processes and the scheduler */
EVENT(sched_switch, sched, "PROCESS_CONTEXTSWITCH", "sched_switch", 1,
      "a CPU goes from one task to another",
      FIELD(comm, prev_comm, "") FIELD(comm, next_comm, "next_pid")
      FIELD(task_state, prev_state, "") FIELD(pid, next_pid, ""))
EVENT(sched_wakeup, sched, "PROCESS_WAKEUP", "sched_wakeup", 1,
      "a task becomes runnable",
      FIELD(comm, comm, "pid") FIELD(pid, pid, "") FIELD(s32, prio, "")
      FIELD(u32, target_cpu, ""))
EVENT(sched_wakeup_new, sched, "", "sched_wakeup_new", 1,
      "a new task becomes runnable for the first time",
      FIELD(comm, comm, "pid") FIELD(pid, pid, "") FIELD(s32, prio, "")
      FIELD(u32, target_cpu, ""))
EVENT(sched_migrate_task, sched, "", "sched_migrate_task", 1,
      "a task moves to another CPU",
      FIELD(comm, comm, "pid") FIELD(pid, pid, "") FIELD(u32, orig_cpu, "")
      FIELD(u32, dest_cpu, ""))
EVENT(sched_process_fork, sched, "PROCESS_FORK", "sched_process_fork", 1,
      "a task is created",
      FIELD(comm, comm, "") FIELD(comm, child_comm, "child_pid")
      FIELD(pid, child_pid, "") FIELD(pid, child_tgid, ""))
EVENT(sched_process_exec, sched, "", "sched_process_exec", 1,
      "a task executes another program",
      FIELD(comm, comm, "") FIELD(pid, old_pid, "") FIELD(text, filename, ""))
EVENT(sched_process_exit, sched, "", "sched_process_exit", 1, "a task ends",
      FIELD(comm, comm, "") FIELD(exit_code, exit_code, "")
      FIELD(pid, tgid, ""))
EVENT(task_rename, sched, "", "task_rename", 1, "a task gets another name",
      FIELD(comm, oldcomm, "pid") FIELD(comm, newcomm, "pid") FIELD(pid, pid, ""))

/* Signals */
EVENT(signal_generate, signal, "PROCESS_SIGSEND", "signal_generate", 1,
      "a signal is sent to a task",
      FIELD(comm, comm, "pid") FIELD(pid, pid, "") FIELD(signal, sig, "")
      FIELD(sig_code, code, "") FIELD(s32, errno, "") FIELD(bool, group, "")
      FIELD(sig_result, result, ""))
EVENT(signal_deliver, signal, "", "signal_deliver", 1,
      "the current task takes a signal",
      FIELD(hex, sa_handler, "") FIELD(hex, sa_flags, "")
      FIELD(signal, sig, "") FIELD(sig_code, code, "") FIELD(s32, errno, ""))

/* Interrupts */
EVENT(irq_handler_entry, irq, "INT_HARDWARE_ENTRY", "irq_handler_entry", 1,
      "a device's interrupt handler starts",
      FIELD(ksym, handler, "") FIELD(name, name, "") FIELD(u32, irq, ""))
EVENT(irq_handler_exit, irq, "", "irq_handler_exit", 1,
      "a device's interrupt handler ends",
      FIELD(u32, irq, "") FIELD(u32, handled, ""))
EVENT(softirq_raise, softirq, "", "softirq_raise", 1, "a softirq is requested",
      FIELD(softirq, vec, ""))
EVENT(softirq_entry, softirq, "INT_BH_ENTRY", "softirq_entry", 1,
      "a softirq starts", FIELD(softirq, vec, ""))
EVENT(softirq_exit, softirq, "", "softirq_exit", 1, "a softirq ends",
      FIELD(softirq, vec, ""))
EVENT(tasklet_entry, softirq, "INT_TASKLET_ENTRY", "tasklet_entry", 1,
      "a tasklet starts", FIELD(ksym, func, "") FIELD(hex, tasklet, ""))
EVENT(tasklet_exit, softirq, "", "tasklet_exit", 1, "a tasklet ends",
      FIELD(ksym, func, "") FIELD(hex, tasklet, ""))
EVENT(nmi_handler, irq, "", "nmi_handler", 1, "an NMI handler has run",
      FIELD(ksym, handler, "") FIELD(s64, duration, "ns")
      FIELD(s32, handled, ""))

/* Timers */
EVENT(timer_start, timer, "TIMER_ADD", "timer_start", 0, "a timer is armed",
      FIELD(ksym, function, "") FIELD(hex, timer, "")
      FIELD(u64, expires, "jiffies"))
EVENT(timer_expire_entry, timer, "", "timer_expire_entry", 1,
      "a timer's function starts",
      FIELD(ksym, function, "") FIELD(hex, timer, ""))
EVENT(timer_expire_exit, timer, "", "timer_expire_exit", 1,
      "a timer's function ends", FIELD(hex, timer, ""))
EVENT(hrtimer_start, timer, "", "hrtimer_start", 0,
      "a high-resolution timer is armed",
      FIELD(ksym, function, "") FIELD(hex, hrtimer, ""))
EVENT(hrtimer_expire_entry, timer, "", "hrtimer_expire_entry", 1,
      "a high-resolution timer's function starts",
      FIELD(ksym, function, "") FIELD(hex, hrtimer, "") FIELD(s64, now, "ns"))
EVENT(hrtimer_expire_exit, timer, "", "hrtimer_expire_exit", 1,
      "a high-resolution timer's function ends", FIELD(hex, hrtimer, ""))

/* Work queues */
EVENT(workqueue_queue_work, workqueue, "PROCESS_ADD_WQ",
      "workqueue_queue_work", 1, "a work item is queued",
      FIELD(ksym, function, "") FIELD(hex, work, "") FIELD(s32, req_cpu, ""))
EVENT(workqueue_execute_start, workqueue, "", "workqueue_execute_start", 1,
      "a work item starts", FIELD(ksym, function, "") FIELD(hex, work, ""))
EVENT(workqueue_execute_end, workqueue, "", "workqueue_execute_end", 1,
      "a work item ends", FIELD(ksym, function, "") FIELD(hex, work, ""))

/* System calls */
EVENT(sys_enter, syscall, "SYSCALL_ENTRY", "sys_enter", 1,
      "a system call starts",
      FIELD(hex, arg0, "") FIELD(hex, arg1, "") FIELD(hex, arg2, "")
      FIELD(hex, arg3, "") FIELD(syscall, nr, "") FIELD(flag, compat, ""))
EVENT(sys_exit, syscall, "SYSCALL_EXIT", "sys_exit", 1, "a system call ends",
      FIELD(ret, ret, "") FIELD(syscall, nr, "") FIELD(flag, compat, ""))

/* Exceptions */
EVENT(page_fault_user, exception, "EXCEPTION_ENTRY", "page_fault_user", 1,
      "a page fault in user space",
      FIELD(hex, address, "") FIELD(hex, ip, "") FIELD(pf_error, error, ""))
EVENT(page_fault_kernel, exception, "", "page_fault_kernel", 1,
      "a page fault in the kernel",
      FIELD(hex, address, "") FIELD(ksym, ip, "") FIELD(pf_error, error, ""))

/* Memory */
EVENT(mm_vmscan_direct_reclaim_begin, memory, "",
      "mm_vmscan_direct_reclaim_begin", 1,
      "a task has to free memory before it gets some",
      FIELD(u32, order, "") FIELD(gfp, gfp_flags, ""))
EVENT(mm_vmscan_direct_reclaim_end, memory, "", "mm_vmscan_direct_reclaim_end",
      1, "direct reclaim ends", FIELD(u64, nr_reclaimed, "pages"))
EVENT(mark_victim, memory, "", "mark_victim", 1,
      "the OOM killer has chosen a task",
      FIELD(comm, comm, "pid") FIELD(pid, pid, ""))
EVENT(mm_page_alloc, memory, "", "mm_page_alloc", 0, "pages are allocated",
      FIELD(hex, page, "") FIELD(u32, order, "") FIELD(gfp, gfp_flags, "")
      FIELD(s32, migratetype, ""))
EVENT(mm_page_free, memory, "", "mm_page_free", 0, "pages are freed",
      FIELD(hex, page, "") FIELD(u32, order, ""))

/* Block I/O */
EVENT(block_rq_insert, block, "", "block_rq_insert", 1,
      "a block request enters the I/O scheduler",
      FIELD(hex, rq, "") FIELD(s64, sector, "512 bytes") FIELD(u32, bytes, "bytes")
      FIELD(dev, dev, "") FIELD(blk_op, op, ""))
EVENT(block_rq_issue, block, "", "block_rq_issue", 1,
      "a block request goes to the driver",
      FIELD(hex, rq, "") FIELD(s64, sector, "512 bytes") FIELD(u32, bytes, "bytes")
      FIELD(dev, dev, "") FIELD(blk_op, op, ""))
EVENT(block_rq_complete, block, "", "block_rq_complete", 1,
      "the driver has completed a block request",
      FIELD(hex, rq, "") FIELD(s64, sector, "512 bytes") FIELD(u32, bytes, "bytes")
      FIELD(dev, dev, "") FIELD(blk_op, op, "") FIELD(blk_status, status, ""))

/* Network */
EVENT(net_dev_xmit, net, "", "net_dev_xmit", 1,
      "a packet was handed to a device",
      FIELD(hex, skb, "") FIELD(name, dev, "") FIELD(u32, len, "bytes")
      FIELD(s32, rc, ""))
EVENT(netif_receive_skb, net, "", "netif_receive_skb", 1,
      "the network stack receives a packet",
      FIELD(hex, skb, "") FIELD(name, dev, "") FIELD(u32, len, "bytes")
      FIELD(ethertype, protocol, ""))
EVENT(kfree_skb, net, "", "kfree_skb", 1, "a packet is dropped",
      FIELD(hex, skb, "") FIELD(ksym, location, "")
      FIELD(drop_reason, reason, "") FIELD(ethertype, protocol, ""))

/* Locks */
EVENT(contention_begin, lock, "", "contention_begin", 1,
      "a task or CPU starts to wait for a lock",
      FIELD(ksym, lock, "") FIELD(lock_flags, flags, ""))
EVENT(contention_end, lock, "", "contention_end", 1, "the wait for a lock ends",
      FIELD(ksym, lock, "") FIELD(errno, ret, ""))

/* Power */
EVENT(cpu_idle, power, "", "cpu_idle", 1,
      "a CPU goes to sleep, or wakes up (state -1)",
      FIELD(s32, state, "") FIELD(u32, cpu_id, ""))

/* Modules */
EVENT(module_load, module, "", "module_load", 1, "a module is loaded",
      FIELD(text, name, ""))
EVENT(module_free, module, "", "module_free", 1, "a module is removed",
      FIELD(text, name, ""))

/* Console */
EVENT(console, console, "", "console", 1, "the kernel prints a line",
      FIELD(text, text, ""))

/* Trouble: what the kernel's own checks say, told by the line that opens it. */
EVENT(panic, trouble, "LKST_KERNEL_DUMP", "console", 1, "the kernel panics",
      FIELD(text, message, ""))
EVENT(oops, trouble, "", "console", 1, "the kernel takes a fatal exception",
      FIELD(text, message, ""))
EVENT(warn, trouble, "", "console", 1, "a WARN is hit", FIELD(text, message, ""))
EVENT(soft_lockup, trouble, "", "console", 1,
      "a CPU does not schedule any more", FIELD(text, message, ""))
EVENT(hard_lockup, trouble, "", "console", 1,
      "a CPU does not take interrupts any more", FIELD(text, message, ""))
EVENT(hung_task, trouble, "", "console", 1, "a task stays in D state",
      FIELD(text, message, ""))
EVENT(rcu_stall, trouble, "", "console", 1, "an RCU grace period does not end",
      FIELD(text, message, ""))
EVENT(kasan, trouble, "", "console", 1, "KASAN reports a bad memory access",
      FIELD(text, message, ""))
EVENT(kfence, trouble, "", "console", 1, "KFENCE reports a bad memory access",
      FIELD(text, message, ""))

/* Delays, which the recorder measures from one event to another. */
EVENT(wakeup_delay, delay, "", "sched_switch", 0,
      "from a task's wakeup until it runs",
      FIELD(u64, delay, "ns") FIELD(comm, comm, "pid") FIELD(pid, pid, ""))
EVENT(blocked_time, delay, "", "sched_wakeup", 0,
      "time that a task was in D state",
      FIELD(u64, delay, "ns") FIELD(comm, comm, "pid") FIELD(pid, pid, ""))
EVENT(syscall_time, delay, "", "sys_exit", 0, "time that a system call took",
      FIELD(u64, delay, "ns") FIELD(ret, ret, "") FIELD(syscall, nr, ""))
EVENT(irq_time, delay, "", "irq_handler_exit", 0,
      "time that a device's interrupt handler took",
      FIELD(u64, delay, "ns") FIELD(ksym, handler, "") FIELD(u32, irq, ""))
EVENT(softirq_time, delay, "", "softirq_exit", 0, "time that a softirq took",
      FIELD(u64, delay, "ns") FIELD(softirq, vec, ""))
EVENT(block_time, delay, "", "block_rq_complete", 0,
      "from a block request's issue until it is completed",
      FIELD(u64, delay, "ns") FIELD(hex, rq, "") FIELD(s64, sector, "512 bytes")
      FIELD(u32, bytes, "bytes") FIELD(dev, dev, "") FIELD(blk_op, op, ""))
EVENT(lock_wait, delay, "", "contention_end", 0,
      "time that a lock was waited for",
      FIELD(u64, delay, "ns") FIELD(ksym, lock, "") FIELD(errno, ret, ""))
EVENT(heartbeat_age, delay, "", "", 0, "time since the last heartbeat",
      FIELD(u64, delay, "ns"))
