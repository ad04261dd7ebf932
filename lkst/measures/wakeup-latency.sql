-- title: Wakeup latency
-- description: From a task's wakeup until it runs.
-- unit: ns
-- events: sched_switch sched_wakeup
-- by: task
-- columns: why: wakeup, or new for a task's first; waker_comm: who woke it;
--     waker_pid: its thread id; waker_cpu: its CPU
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, why,
    waker_cpu, waker_pid, waker_comm
FROM runnable WHERE why IS DISTINCT FROM 'preempted'
