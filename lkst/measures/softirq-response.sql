-- title: Softirq response
-- description: From when a softirq is first requested until it ends.
-- unit: ns
-- events: softirq_raise softirq_entry softirq_exit
-- by: name
-- columns: name: the softirq
SELECT coalesce(raised_ns, start_ns) AS start_ns, end_ns - raised_ns AS value, cpu, pid, comm, name
FROM softirqs WHERE start_ns IS NOT NULL
