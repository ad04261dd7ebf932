-- title: CPU time
-- description: Time of a CPU in tasks, softirqs, interrupt handlers, or idle.
-- unit: ns
-- events: sched_switch irq_handler_entry irq_handler_exit softirq_entry softirq_exit
-- by: context
-- over-time: sum
-- columns: context: task, softirq, irq or idle
SELECT start_ns, duration_ns AS value, cpu, pid, comm, context
FROM contexts
