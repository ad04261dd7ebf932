-- title: Softirq delay
-- description: From when a softirq is first requested until it starts.
-- unit: ns
-- events: softirq_raise softirq_entry
-- by: name
-- columns: name: the softirq
SELECT start_ns, delay_ns AS value, cpu, pid, comm, name
FROM softirqs WHERE start_ns IS NOT NULL
