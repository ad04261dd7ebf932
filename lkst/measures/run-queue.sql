-- title: Run queue
-- description: Number of tasks that wait for a CPU, at each change.
-- unit: tasks
-- events: sched_switch sched_wakeup
-- by: cpu
-- over-time: max
WITH known AS (
    SELECT * FROM runnable
    WHERE duration_ns IS NOT NULL
        OR (open = 'end' AND start_ns >= (SELECT complete_ns FROM trace))
),
steps AS (
    SELECT start_ns, 1 AS step, cpu FROM known
    UNION ALL
    SELECT end_ns, -1, cpu FROM known WHERE end_ns IS NOT NULL
)
SELECT start_ns, sum(step) OVER (
    PARTITION BY cpu ORDER BY start_ns, step ROWS UNBOUNDED PRECEDING
)::BIGINT AS value, cpu
FROM steps
