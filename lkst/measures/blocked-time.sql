-- title: Blocked time
-- description: From when a task goes to sleep until it is woken.
-- unit: ns
-- events: sched_switch sched_wakeup
-- by: task
-- columns: state: S, D, ...; waker_pid: waker; waker_comm: its name
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, state, waker_pid, waker_comm
FROM blocked
