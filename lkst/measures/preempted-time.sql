-- title: Preempted time
-- description: From when a task loses its CPU, though it could go on, until it has one again.
-- unit: ns
-- events: sched_switch
-- by: task
SELECT start_ns, duration_ns AS value, cpu, pid, comm
FROM runnable WHERE why = 'preempted'
