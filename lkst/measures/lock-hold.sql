-- title: Lock hold
-- description: From when a waiter gets a lock until the next waiter gets it: an upper bound of
--     the hold time. A lock that nobody waits for leaves no record.
-- unit: ns
-- events: contention_begin contention_end
-- by: lock
-- columns: lock: its symbol or address; kind: mutex, spin, ...
WITH waits AS (
    SELECT *, lead(start_ns) OVER next AS next_start, lead(end_ns) OVER next AS next_end,
        lead(owner_pid) OVER next AS next_owner
    FROM lock_waits WHERE duration_ns IS NOT NULL AND ret = 0
    WINDOW next AS (PARTITION BY lock ORDER BY end_ns)
)
SELECT end_ns AS start_ns, next_end - end_ns AS value, cpu, pid, comm,
    coalesce(name, printf('0x%x', lock)) AS lock, kind
FROM waits w
WHERE (next_start <= end_ns OR next_owner = pid) AND NOT EXISTS (
    SELECT 1 FROM holes h
    WHERE coalesce(h.start_ns, w.end_ns - 1) < w.next_end
        AND coalesce(h.end_ns, w.next_end) > w.end_ns
)
