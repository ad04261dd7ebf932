-- title: Wakeup latency by waker
-- description: From the wakeup of a task until it runs, by waker.
-- unit: ns
-- events: sched_switch sched_wakeup
-- by: waker
-- columns: waker_cpu: CPU of the waker; waker_pid: waker; waker_comm: its name
SELECT start_ns, duration_ns AS value, cpu, pid, comm, waker_cpu, waker_pid, waker_comm
FROM runnable WHERE waker_pid IS NOT NULL
