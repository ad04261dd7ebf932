/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of all events. This header has no guard: it is included several times, with
 * EVENT and FIELD defined for the struct of a record, the id, and the entry in the catalogue.
 *
 *	EVENT(name, category, old name, hook, by default, description, fields)
 *	FIELD(type, name, unit)
 *
 * The unit of a comm is the field that holds the named task's pid, or "" for the
 * current task. If two comms name one task, the first is its old name.
 *
 * To add an event, add it here, and its program to the file of its category. Fields
 * are packed without holes into 40 bytes. A text comes last and may continue in
 * further slots. A description has at most 63 bytes.
 */
/* clang-format off */

/* The recorder itself */
EVENT(lkst_start, recorder, "LKST_INIT", "", 1, "the recorder starts",
      FIELD(s64, real_offset, "ns"))
EVENT(mark, recorder, "", "", 1,
      "a mark that a user wrote", FIELD(text, text, ""))
EVENT(trigger_fired, recorder, "", "", 1, "a trigger fires",
      FIELD(name, name, "") FIELD(event, on, ""))
EVENT(maskset_use, recorder, "", "", 1, "another maskset becomes active",
      FIELD(name, name, ""))

EVENT(clock_set, recorder, "", "", 1,
      "the wall clock stepped: set, leap second, or a suspend",
      FIELD(s64, real_offset, "ns") FIELD(s64, old_real_offset, "ns")
      FIELD(s64, boot_offset, "ns"))

/* Processes and the scheduler */
EVENT(sched_switch, sched, "PROCESS_CONTEXTSWITCH", "sched_switch", 1,
      "a CPU switches from one task to another",
      FIELD(comm, prev_comm, "") FIELD(comm, next_comm, "next_pid")
      FIELD(task_state, prev_state, "") FIELD(pid, next_pid, ""))
EVENT(schedule, sched, "PROCESS_SCHED_ENTER", "schedule", 0,
      "a task enters schedule()", FIELD(task_state, state, ""))
EVENT(schedule_exit, sched, "PROCESS_SCHED_EXIT", "schedule_exit", 0,
      "a task returns from schedule(); run_delay: total wait for a CPU",
      FIELD(u64, run_delay, "ns"))
EVENT(sched_waking, sched, "", "sched_waking", 0,
      "a wakeup of a task begins",
      FIELD(comm, comm, "pid") FIELD(pid, pid, "") FIELD(s32, prio, "")
      FIELD(u32, target_cpu, ""))
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
EVENT(kernel_thread, sched, "PROCESS_LTHREADGEN", "kernel_thread", 1,
      "a kernel thread is created",
      FIELD(ksym, fn, "") FIELD(hex, arg, "") FIELD(hex, flags, "")
      FIELD(pid, child_pid, "") FIELD(errno, error, ""))
EVENT(sched_process_exec, sched, "", "sched_process_exec", 1,
      "a task executes another program",
      FIELD(comm, comm, "") FIELD(pid, old_pid, "") FIELD(text, filename, ""))
EVENT(sched_process_exit, sched, "", "sched_process_exit", 1, "a task exits",
      FIELD(comm, comm, "") FIELD(exit_code, exit_code, "")
      FIELD(pid, tgid, ""))
EVENT(task_rename, sched, "", "task_rename", 1, "a task changes its name",
      FIELD(comm, oldcomm, "pid") FIELD(comm, newcomm, "pid") FIELD(pid, pid, ""))

/* Wait queues */
EVENT(init_waitqueue_head, waitqueue, "PROCESS_INIT_WQH",
      "init_waitqueue_head", 0, "a wait queue is initialised",
      FIELD(ksym, queue, "") FIELD(name, name, ""))
EVENT(add_wait_queue, waitqueue, "PROCESS_ADD_WQ", "add_wait_queue", 0,
      "an entry is added to a wait queue; private: usually its task",
      FIELD(ksym, queue, "") FIELD(hex, entry, "") FIELD(ksym, func, "")
      FIELD(hex, private, ""))
EVENT(remove_wait_queue, waitqueue, "PROCESS_REM_WQ", "remove_wait_queue", 0,
      "an entry is removed from a wait queue",
      FIELD(ksym, queue, "") FIELD(hex, entry, "") FIELD(ksym, func, ""))
EVENT(prepare_to_wait_event, waitqueue, "", "prepare_to_wait_event", 0,
      "the current task prepares to wait on a wait queue",
      FIELD(ksym, queue, "") FIELD(hex, entry, "") FIELD(task_state, state, ""))
EVENT(finish_wait, waitqueue, "", "finish_wait", 0,
      "the current task stops waiting on a wait queue",
      FIELD(ksym, queue, "") FIELD(hex, entry, ""))

/* Signals */
EVENT(signal_generate, signal, "PROCESS_SIGSEND", "signal_generate", 1,
      "a signal is sent to a task",
      FIELD(comm, comm, "pid") FIELD(pid, pid, "") FIELD(signal, sig, "")
      FIELD(sig_code, code, "") FIELD(s32, errno, "") FIELD(bool, group, "")
      FIELD(sig_result, result, ""))
EVENT(signal_deliver, signal, "", "signal_deliver", 1,
      "a signal is delivered to the current task",
      FIELD(hex, sa_handler, "") FIELD(hex, sa_flags, "")
      FIELD(signal, sig, "") FIELD(sig_code, code, "") FIELD(s32, errno, ""))

/* Interrupts */
EVENT(irq_handler_entry, irq, "INT_HARDWARE_ENTRY", "irq_handler_entry", 1,
      "a device's interrupt handler starts",
      FIELD(ksym, handler, "") FIELD(name, name, "") FIELD(u32, irq, ""))
EVENT(irq_handler_exit, irq, "", "irq_handler_exit", 1,
      "a device's interrupt handler returns",
      FIELD(u32, irq, "") FIELD(u32, handled, ""))
EVENT(local_timer_entry, irq, "", "local_timer_entry", 0,
      "the local APIC timer interrupts", FIELD(u32, vector, ""))
EVENT(reschedule_entry, irq, "", "reschedule_entry", 0,
      "IPI: another CPU requests a reschedule", FIELD(u32, vector, ""))
EVENT(call_function_entry, irq, "", "call_function_entry", 0,
      "IPI: another CPU requests a function call on several CPUs",
      FIELD(u32, vector, ""))
EVENT(call_function_single_entry, irq, "", "call_function_single_entry", 0,
      "IPI: another CPU requests a function call on this CPU",
      FIELD(u32, vector, ""))
EVENT(ipi_send_cpu, irq, "", "ipi_send_cpu", 0,
      "an IPI is sent to a CPU",
      FIELD(ksym, callsite, "") FIELD(ksym, callback, "")
      FIELD(u32, target_cpu, ""))
EVENT(softirq_raise, softirq, "", "softirq_raise", 1, "a softirq is raised",
      FIELD(softirq, vec, ""))
EVENT(softirq_entry, softirq, "INT_BH_ENTRY", "softirq_entry", 1,
      "a softirq handler starts", FIELD(softirq, vec, ""))
EVENT(softirq_exit, softirq, "", "softirq_exit", 1, "a softirq handler returns",
      FIELD(softirq, vec, ""))
EVENT(tasklet_hi_action, softirq, "INT_TASKLETHI_ENTRY", "tasklet_hi_action", 1,
      "high-priority tasklets start to run; func: the first one",
      FIELD(ksym, func, "") FIELD(hex, tasklet, ""))
EVENT(tasklet_entry, softirq, "INT_TASKLET_ENTRY", "tasklet_entry", 1,
      "a tasklet starts", FIELD(ksym, func, "") FIELD(hex, tasklet, ""))
EVENT(tasklet_exit, softirq, "", "tasklet_exit", 1, "a tasklet returns",
      FIELD(ksym, func, "") FIELD(hex, tasklet, ""))
EVENT(nmi_handler, irq, "", "nmi_handler", 1, "an NMI handler has run",
      FIELD(ksym, handler, "") FIELD(s64, duration, "ns")
      FIELD(s32, handled, ""))

/* Timers */
EVENT(timer_start, timer, "TIMER_ADD", "timer_start", 0, "a timer is armed",
      FIELD(ksym, function, "") FIELD(hex, timer, "")
      FIELD(u64, expires, "jiffies"))
EVENT(timer_cancel, timer, "", "timer_cancel", 0,
      "a timer is dequeued: cancelled, modified or expiring",
      FIELD(ksym, function, "") FIELD(hex, timer, ""))
EVENT(timer_expire_entry, timer, "", "timer_expire_entry", 1,
      "a timer's callback starts",
      FIELD(ksym, function, "") FIELD(hex, timer, ""))
EVENT(timer_expire_exit, timer, "", "timer_expire_exit", 1,
      "a timer's callback returns", FIELD(hex, timer, ""))
EVENT(hrtimer_start, timer, "", "hrtimer_start", 0,
      "a high-resolution timer is armed",
      FIELD(ksym, function, "") FIELD(hex, hrtimer, ""))
EVENT(hrtimer_cancel, timer, "", "hrtimer_cancel", 0,
      "a high-resolution timer is dequeued: cancelled or expiring",
      FIELD(ksym, function, "") FIELD(hex, hrtimer, ""))
EVENT(hrtimer_expire_entry, timer, "", "hrtimer_expire_entry", 1,
      "a high-resolution timer's callback starts",
      FIELD(ksym, function, "") FIELD(hex, hrtimer, "") FIELD(s64, now, "ns"))
EVENT(hrtimer_expire_exit, timer, "", "hrtimer_expire_exit", 1,
      "a high-resolution timer's callback returns", FIELD(hex, hrtimer, ""))

/* Work queues */
EVENT(workqueue_queue_work, workqueue, "", "workqueue_queue_work", 1,
      "a work item is queued; req_cpu -1: any CPU",
      FIELD(ksym, function, "") FIELD(hex, work, "") FIELD(s32, req_cpu, ""))
EVENT(workqueue_execute_start, workqueue, "", "workqueue_execute_start", 1,
      "a work item starts", FIELD(ksym, function, "") FIELD(hex, work, ""))
EVENT(workqueue_execute_end, workqueue, "", "workqueue_execute_end", 1,
      "a work item returns", FIELD(ksym, function, "") FIELD(hex, work, ""))

/* System calls; compat: 1: 32-bit entry, 2: x32 ABI */
EVENT(sys_enter, syscall, "SYSCALL_ENTRY", "sys_enter", 1,
      "a system call starts",
      FIELD(hex, arg0, "") FIELD(hex, arg1, "") FIELD(hex, arg2, "")
      FIELD(hex, arg3, "") FIELD(syscall, nr, "") FIELD(flag, compat, ""))
EVENT(sys_exit, syscall, "SYSCALL_EXIT", "sys_exit", 1, "a system call returns",
      FIELD(ret, ret, "") FIELD(syscall, nr, "") FIELD(flag, compat, ""))

/* SysV IPC */
EVENT(ipcget, ipc, "", "ipcget", 1,
      "an IPC object is found or created; size: bytes or semaphores",
      FIELD(u64, size, "") FIELD(hex, key, "") FIELD(hex, flags, "")
      FIELD(ret, ret, "") FIELD(ipc_kind, kind, ""))
EVENT(ipc_rmid, ipc, "", "ipc_rmid", 1, "an IPC object is removed",
      FIELD(hex, key, "") FIELD(s32, id, "") FIELD(ipc_kind, kind, ""))
EVENT(semop, ipc, "", "semop", 1,
      "semop() starts; num, op, flags: the first operation",
      FIELD(s64, timeout, "ns") FIELD(s32, semid, "") FIELD(u32, nsops, "")
      FIELD(u16, num, "") FIELD(s16, op, "") FIELD(u16, flags, ""))
EVENT(semop_exit, ipc, "", "semop_exit", 1, "semop() returns",
      FIELD(ret, ret, "") FIELD(s32, semid, ""))
EVENT(msgsnd, ipc, "", "msgsnd", 1, "msgsnd() starts",
      FIELD(s64, type, "") FIELD(u64, size, "bytes") FIELD(hex, flags, "")
      FIELD(s32, msqid, ""))
EVENT(msgsnd_exit, ipc, "", "msgsnd_exit", 1,
      "msgsnd() returns; ret: 0, or an error",
      FIELD(ret, ret, "") FIELD(s32, msqid, ""))
EVENT(msgrcv, ipc, "", "msgrcv", 1, "msgrcv() starts",
      FIELD(s64, type, "") FIELD(u64, size, "bytes") FIELD(hex, flags, "")
      FIELD(s32, msqid, ""))
EVENT(msgrcv_exit, ipc, "", "msgrcv_exit", 1,
      "msgrcv() returns; ret: bytes received, or an error",
      FIELD(ret, ret, "") FIELD(s32, msqid, ""))
EVENT(shmat, ipc, "", "shmat", 1, "shmat() attaches a shared memory segment",
      FIELD(hex, address, "") FIELD(hex, flags, "") FIELD(ret, ret, "")
      FIELD(s32, shmid, ""))
EVENT(shmdt, ipc, "", "shmdt", 1, "shmdt() detaches a shared memory segment",
      FIELD(hex, address, "") FIELD(ret, ret, ""))

/* Exceptions */
EVENT(page_fault_user, exception, "EXCEPTION_ENTRY", "page_fault_user", 1,
      "a page fault in user mode",
      FIELD(hex, address, "") FIELD(hex, ip, "") FIELD(pf_error, error, ""))
EVENT(page_fault_kernel, exception, "", "page_fault_kernel", 1,
      "a page fault in kernel mode",
      FIELD(hex, address, "") FIELD(ksym, ip, "") FIELD(pf_error, error, ""))
EVENT(handle_mm_fault, exception, "EXCEPTION_EXIT", "handle_mm_fault", 0,
      "a page fault has been handled",
      FIELD(hex, address, "") FIELD(vm_fault, result, "")
      FIELD(fault_flag, flags, ""))
EVENT(force_sig_fault, exception, "", "force_sig_fault", 1,
      "an exception forces a signal on the current task",
      FIELD(hex, addr, "") FIELD(signal, sig, "") FIELD(sig_code, code, ""))

/* Memory */
EVENT(mm_vmscan_direct_reclaim_begin, memory, "",
      "mm_vmscan_direct_reclaim_begin", 1,
      "direct reclaim starts: an allocation must free memory first",
      FIELD(u32, order, "") FIELD(gfp, gfp_flags, ""))
EVENT(mm_vmscan_direct_reclaim_end, memory, "", "mm_vmscan_direct_reclaim_end",
      1, "direct reclaim ends", FIELD(u64, nr_reclaimed, "pages"))
EVENT(mm_vmscan_kswapd_wake, memory, "", "mm_vmscan_kswapd_wake", 1,
      "kswapd wakes up to reclaim memory",
      FIELD(s32, nid, "") FIELD(s32, zid, "") FIELD(s32, order, ""))
EVENT(mm_vmscan_kswapd_sleep, memory, "", "mm_vmscan_kswapd_sleep", 1,
      "kswapd goes to sleep", FIELD(s32, nid, ""))
EVENT(mm_vmscan_throttled, memory, "", "mm_vmscan_throttled", 1,
      "a reclaiming task was throttled",
      FIELD(s32, nid, "") FIELD(u32, timeout, "us") FIELD(u32, delayed, "us")
      FIELD(vmscan_throttle, reason, ""))
EVENT(mm_compaction_begin, memory, "", "mm_compaction_begin", 1,
      "compaction starts: pages are moved to free large blocks",
      FIELD(u64, migrate_pfn, "") FIELD(u64, free_pfn, "") FIELD(s32, order, "")
      FIELD(gfp, gfp_flags, "") FIELD(bool, sync, ""))
EVENT(mm_compaction_end, memory, "", "mm_compaction_end", 1,
      "compaction ends",
      FIELD(u64, migrate_pfn, "") FIELD(u64, free_pfn, "") FIELD(s32, order, "")
      FIELD(compact_result, status, "") FIELD(bool, sync, ""))
EVENT(mark_victim, memory, "", "mark_victim", 1,
      "the OOM killer selected a victim",
      FIELD(comm, comm, "pid") FIELD(pid, pid, ""))
EVENT(mm_page_alloc, memory, "", "mm_page_alloc", 0, "pages are allocated",
      FIELD(hex, page, "") FIELD(u32, order, "") FIELD(gfp, gfp_flags, "")
      FIELD(s32, migratetype, ""))
EVENT(mm_page_free, memory, "", "mm_page_free", 0, "pages are freed",
      FIELD(hex, page, "") FIELD(u32, order, ""))
EVENT(kmalloc, memory, "", "kmalloc", 0, "kmalloc() allocates memory",
      FIELD(ksym, call_site, "") FIELD(hex, ptr, "")
      FIELD(u64, bytes_req, "bytes") FIELD(u64, bytes_alloc, "bytes")
      FIELD(gfp, gfp_flags, "") FIELD(s32, node, ""))
EVENT(kfree, memory, "", "kfree", 0, "kfree() frees memory",
      FIELD(ksym, call_site, "") FIELD(hex, ptr, ""))
EVENT(kmem_cache_alloc, memory, "", "kmem_cache_alloc", 0,
      "an object is allocated from a slab cache",
      FIELD(ksym, call_site, "") FIELD(hex, ptr, "") FIELD(name, cache, "")
      FIELD(u32, size, "bytes") FIELD(gfp, gfp_flags, ""))
EVENT(kmem_cache_free, memory, "", "kmem_cache_free", 0,
      "an object is returned to its slab cache",
      FIELD(ksym, call_site, "") FIELD(hex, ptr, "") FIELD(name, cache, ""))

/* Block I/O */
EVENT(block_rq_insert, block, "", "block_rq_insert", 1,
      "a block request enters the I/O scheduler",
      FIELD(hex, rq, "") FIELD(s64, sector, "512 bytes") FIELD(u32, bytes, "bytes")
      FIELD(dev, dev, "") FIELD(blk_op, op, ""))
EVENT(block_rq_issue, block, "", "block_rq_issue", 1,
      "a block request is issued to the driver",
      FIELD(hex, rq, "") FIELD(s64, sector, "512 bytes") FIELD(u32, bytes, "bytes")
      FIELD(dev, dev, "") FIELD(blk_op, op, ""))
EVENT(block_rq_complete, block, "", "block_rq_complete", 1,
      "the driver completed a block request",
      FIELD(hex, rq, "") FIELD(s64, sector, "512 bytes") FIELD(u32, bytes, "bytes")
      FIELD(dev, dev, "") FIELD(blk_op, op, "") FIELD(blk_status, status, ""))
EVENT(block_rq_requeue, block, "", "block_rq_requeue", 1,
      "a block request is put back into the queue",
      FIELD(hex, rq, "") FIELD(s64, sector, "512 bytes") FIELD(u32, bytes, "bytes")
      FIELD(dev, dev, "") FIELD(blk_op, op, ""))
EVENT(block_bio_queue, block, "", "block_bio_queue", 1,
      "a bio is submitted; bio_based: its driver uses no requests",
      FIELD(hex, bio, "") FIELD(u64, sector, "") FIELD(u32, bytes, "bytes")
      FIELD(dev, dev, "") FIELD(flag, bio_based, "") FIELD(blk_op, op, ""))
EVENT(block_bio_complete, block, "", "block_bio_complete", 1,
      "a bio of a driver without requests is complete",
      FIELD(hex, bio, "") FIELD(u64, sector, "") FIELD(u32, bytes, "bytes")
      FIELD(dev, dev, "") FIELD(blk_op, op, "") FIELD(blk_status, status, ""))

/* Network */
EVENT(net_dev_xmit, net, "", "net_dev_xmit", 1,
      "a packet was handed to a network device",
      FIELD(hex, skb, "") FIELD(name, dev, "") FIELD(u32, len, "bytes")
      FIELD(s32, rc, ""))
EVENT(netif_receive_skb, net, "", "netif_receive_skb", 1,
      "the network stack receives a packet",
      FIELD(hex, skb, "") FIELD(name, dev, "") FIELD(u32, len, "bytes")
      FIELD(ethertype, protocol, ""))
EVENT(kfree_skb, net, "", "kfree_skb", 1, "a packet is dropped",
      FIELD(hex, skb, "") FIELD(ksym, location, "")
      FIELD(drop_reason, reason, "") FIELD(ethertype, protocol, ""))
EVENT(consume_skb, net, "", "consume_skb", 0,
      "a packet is freed normally: it was not dropped",
      FIELD(hex, skb, "") FIELD(ksym, location, ""))
EVENT(napi_poll, net, "", "napi_poll", 0,
      "a network device was polled for packets",
      FIELD(hex, napi, "") FIELD(name, dev, "") FIELD(s32, work, "")
      FIELD(s32, budget, ""))
EVENT(net_dev_xmit_timeout, net, "", "net_dev_xmit_timeout", 1,
      "a network device's transmit queue timed out",
      FIELD(name, dev, "") FIELD(u32, queue, ""))
EVENT(inet_sock_set_state, net, "", "inet_sock_set_state", 1,
      "a connection changes its state",
      FIELD(hex, sk, "") FIELD(ipv4, saddr, "") FIELD(ipv4, daddr, "")
      FIELD(u16, sport, "") FIELD(u16, dport, "") FIELD(af, family, "")
      FIELD(u16, protocol, "") FIELD(tcp_state, oldstate, "")
      FIELD(tcp_state, newstate, ""))
EVENT(tcp_retransmit_skb, net, "", "tcp_retransmit_skb", 1,
      "a TCP segment is retransmitted",
      FIELD(hex, sk, "") FIELD(hex, skb, "") FIELD(ipv4, saddr, "")
      FIELD(ipv4, daddr, "") FIELD(u16, sport, "") FIELD(u16, dport, "")
      FIELD(af, family, "") FIELD(tcp_state, state, ""))
EVENT(tcp_send_reset, net, "", "tcp_send_reset", 1,
      "a TCP reset is sent",
      FIELD(hex, sk, "") FIELD(ipv4, saddr, "") FIELD(ipv4, daddr, "")
      FIELD(u16, sport, "") FIELD(u16, dport, "") FIELD(af, family, "")
      FIELD(tcp_state, state, ""))
EVENT(tcp_receive_reset, net, "", "tcp_receive_reset", 1,
      "a TCP reset is received",
      FIELD(hex, sk, "") FIELD(ipv4, saddr, "") FIELD(ipv4, daddr, "")
      FIELD(u16, sport, "") FIELD(u16, dport, "") FIELD(af, family, "")
      FIELD(tcp_state, state, ""))
EVENT(sock_rcvqueue_full, net, "", "sock_rcvqueue_full", 1,
      "a packet is dropped: the socket's receive queue is full",
      FIELD(hex, sk, "") FIELD(s32, rmem_alloc, "bytes")
      FIELD(s32, rcvbuf, "bytes") FIELD(u32, truesize, "bytes")
      FIELD(u16, sport, "") FIELD(af, family, "") FIELD(u16, protocol, ""))
EVENT(udp_fail_queue_rcv_skb, net, "", "udp_fail_queue_rcv_skb", 1,
      "a UDP datagram could not be queued to its socket",
      FIELD(hex, sk, "") FIELD(errno, rc, "") FIELD(u16, sport, "")
      FIELD(af, family, ""))

/* Locks */
EVENT(contention_begin, lock, "", "contention_begin", 1,
      "a task or CPU starts to wait for a lock; owner: if it is known",
      FIELD(ksym, lock, "") FIELD(comm, owner_comm, "owner")
      FIELD(lock_flags, flags, "") FIELD(pid, owner, ""))
EVENT(contention_end, lock, "", "contention_end", 1, "the wait for a lock ends",
      FIELD(ksym, lock, "") FIELD(errno, ret, ""))

/* Power */
EVENT(cpu_idle, power, "", "cpu_idle", 1,
      "a CPU enters an idle state, or leaves it (state -1)",
      FIELD(s32, state, "") FIELD(u32, cpu_id, ""))
EVENT(cpuhp_enter, power, "", "cpuhp_enter", 1,
      "a CPU hotplug callback starts",
      FIELD(ksym, function, "") FIELD(u32, cpu_id, "")
      FIELD(cpuhp_state, target, "") FIELD(cpuhp_state, step, ""))
EVENT(cpuhp_exit, power, "", "cpuhp_exit", 1,
      "a CPU hotplug callback returns",
      FIELD(u32, cpu_id, "") FIELD(cpuhp_state, state, "")
      FIELD(cpuhp_state, step, "") FIELD(errno, ret, ""))

/* Modules */
EVENT(module_load, module, "", "module_load", 1, "a module is loaded",
      FIELD(text, name, ""))
EVENT(module_free, module, "", "module_free", 1, "a module is freed",
      FIELD(text, name, ""))

/* Console */
EVENT(console, console, "", "console", 1, "printk() writes a line",
      FIELD(text, text, ""))

/* RCU */
EVENT(rcu_stall_warning, rcu, "", "rcu_stall_warning", 1,
      "RCU detects a stalled grace period",
      FIELD(name, rcuname, "") FIELD(name, msg, ""))

/* Trouble: reports of the kernel's own checks, recognised by their first line. */
EVENT(panic, trouble, "LKST_KERNEL_DUMP", "console", 1, "the kernel panics",
      FIELD(text, message, ""))
EVENT(oops, trouble, "", "console", 1, "oops: a fatal exception in the kernel",
      FIELD(text, message, ""))
EVENT(warn, trouble, "", "console", 1,
      "a WARN() triggers", FIELD(text, message, ""))
EVENT(soft_lockup, trouble, "", "console", 1,
      "soft lockup: a CPU has not scheduled for too long",
      FIELD(text, message, ""))
EVENT(hard_lockup, trouble, "", "console", 1,
      "hard lockup: a CPU has taken no interrupts for too long",
      FIELD(text, message, ""))
EVENT(hung_task, trouble, "", "console", 1,
      "hung task: a task has been in D state for too long",
      FIELD(text, message, ""))
EVENT(rcu_stall, trouble, "", "console", 1,
      "RCU stall: a grace period does not end",
      FIELD(text, message, ""))
EVENT(kasan, trouble, "", "console", 1,
      "KASAN reports an invalid memory access",
      FIELD(text, message, ""))
EVENT(kfence, trouble, "", "console", 1,
      "KFENCE reports an invalid memory access",
      FIELD(text, message, ""))

/* Delays, which the recorder measures from one event to another. */
EVENT(wakeup_delay, delay, "", "sched_switch", 0,
      "time from a task's wakeup until it runs",
      FIELD(u64, delay, "ns") FIELD(comm, comm, "pid") FIELD(pid, pid, ""))
EVENT(blocked_time, delay, "", "sched_wakeup", 0,
      "time that a task spent in D state",
      FIELD(u64, delay, "ns") FIELD(comm, comm, "pid") FIELD(pid, pid, ""))
EVENT(syscall_time, delay, "", "sys_exit", 0, "duration of a system call",
      FIELD(u64, delay, "ns") FIELD(ret, ret, "") FIELD(syscall, nr, "")
      FIELD(flag, compat, ""))
EVENT(irq_time, delay, "", "irq_handler_exit", 0,
      "duration of a device's interrupt handler",
      FIELD(u64, delay, "ns") FIELD(ksym, handler, "") FIELD(u32, irq, ""))
EVENT(softirq_time, delay, "", "softirq_exit", 0,
      "duration of a softirq handler",
      FIELD(u64, delay, "ns") FIELD(softirq, vec, ""))
EVENT(block_time, delay, "", "block_rq_complete", 0,
      "time from a block request's issue to its completion",
      FIELD(u64, delay, "ns") FIELD(hex, rq, "") FIELD(s64, sector, "512 bytes")
      FIELD(u32, bytes, "bytes") FIELD(dev, dev, "") FIELD(blk_op, op, ""))
EVENT(lock_wait, delay, "", "contention_end", 0,
      "time that a task or CPU waited for a lock",
      FIELD(u64, delay, "ns") FIELD(ksym, lock, "") FIELD(errno, ret, ""))
EVENT(heartbeat_age, delay, "", "", 0, "time since the last heartbeat",
      FIELD(u64, delay, "ns"))
