-- title: Block request queue
-- description: Number of requests in the driver of a device, at each change.
-- unit: requests
-- events: block_rq_issue block_rq_complete
-- by: dev
-- over-time: max
-- columns: dev: the device, major:minor
WITH known AS (
    SELECT * FROM block_requests
    WHERE duration_ns IS NOT NULL
        OR (open = 'end' AND start_ns >= (SELECT complete_ns FROM trace))
),
steps AS (
    SELECT start_ns, 1 AS step, dev FROM known
    UNION ALL
    SELECT end_ns, -1, dev FROM known WHERE end_ns IS NOT NULL
)
SELECT start_ns, sum(step) OVER (
    PARTITION BY dev ORDER BY start_ns, step ROWS UNBOUNDED PRECEDING
)::BIGINT AS value, dev
FROM steps
