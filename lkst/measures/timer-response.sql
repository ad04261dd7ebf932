-- title: Timer interrupt response
-- description: From the interrupt of the local timer until the softirq TIMER that it raises ends.
-- unit: ns
-- events: local_timer_entry softirq_raise softirq_entry softirq_exit
-- by: cpu
WITH timer AS (SELECT * FROM softirqs WHERE name = 'TIMER' AND raised_ns IS NOT NULL)
SELECT i.ts_ns AS start_ns, t.end_ns - i.ts_ns AS value, t.cpu, t.pid, t.comm
FROM timer t ASOF JOIN local_timer_entry i ON t.cpu = i.cpu AND t.raised_ns >= i.ts_ns
WHERE NOT EXISTS (
    SELECT 1 FROM holes h
    WHERE h.cpu = t.cpu AND coalesce(h.start_ns, i.ts_ns - 1) < t.raised_ns
        AND coalesce(h.end_ns, t.raised_ns) > i.ts_ns
)
