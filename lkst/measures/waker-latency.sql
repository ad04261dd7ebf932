-- title: Wakeup latency by waker
-- description: From the wakeup of a task until it runs, by who woke it.
-- unit: ns
-- events: sched_switch sched_wakeup
-- by: waker
-- columns: waker_cpu: where it was woken from; waker_pid: who woke it; waker_comm: its name
SELECT start_ns, duration_ns AS value, cpu, pid, comm, waker_cpu, waker_pid, waker_comm
FROM runnable WHERE waker_pid IS NOT NULL
