-- title: Process states
-- description: Time that tasks stay in each state.
-- unit: ns
-- events: sched_switch sched_wakeup
-- by: state
-- columns: state: running, runnable, or the sleep state: S, D, I, T, t
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, 'running' AS state
FROM running WHERE pid > 0
UNION ALL
SELECT coalesce(start_ns, end_ns), duration_ns, cpu, pid, comm, 'runnable'
FROM runnable
UNION ALL
SELECT coalesce(start_ns, end_ns), duration_ns, cpu, pid, comm, coalesce(state, '?')
FROM blocked
