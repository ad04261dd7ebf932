-- title: Process states
-- description: How long tasks stay in each state before they go to the next.
-- unit: ns
-- events: sched_switch sched_wakeup
-- by: state
-- columns: state: running, runnable, or in which it sleeps: S, D, I, T, t
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, 'running' AS state
FROM running WHERE pid > 0
UNION ALL
SELECT coalesce(start_ns, end_ns), duration_ns, cpu, pid, comm, 'runnable'
FROM runnable
UNION ALL
SELECT coalesce(start_ns, end_ns), duration_ns, cpu, pid, comm, coalesce(state, '?')
FROM blocked
