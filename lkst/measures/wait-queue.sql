-- title: Wait queues
-- description: Number of waiters in wait queues, at each change.
-- unit: waiters
-- events: add_wait_queue|prepare_to_wait_event remove_wait_queue|finish_wait
-- over-time: max
WITH known AS (
    SELECT * FROM queue_waits
    WHERE duration_ns IS NOT NULL
        OR (open = 'end' AND start_ns >= (SELECT complete_ns FROM trace))
),
steps AS (
    SELECT start_ns, 1 AS step, 1 AS one FROM known
    UNION ALL
    SELECT end_ns, -1, 1 FROM known WHERE end_ns IS NOT NULL
)
SELECT start_ns, sum(step) OVER (
    ORDER BY start_ns, step ROWS UNBOUNDED PRECEDING
)::BIGINT AS value
FROM steps
