-- title: Softirq time
-- description: Time of a run of a softirq.
-- unit: ns
-- events: softirq_entry softirq_exit
-- by: name
-- columns: name: the softirq
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, name
FROM softirqs
