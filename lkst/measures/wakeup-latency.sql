-- title: Wakeup latency
-- description: From the wakeup of a task until it runs.
-- unit: ns
-- events: sched_switch sched_wakeup
-- by: task
-- columns: why: wakeup, or new for a new task; waker_cpu: CPU of the waker;
--     waker_pid: waker; waker_comm: its name
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, why, waker_cpu, waker_pid, waker_comm
FROM runnable WHERE why IS NULL OR why <> 'preempted'
