-- title: Preempted time
-- description: From preemption of a task until it runs again.
-- unit: ns
-- events: sched_switch
-- by: task
SELECT start_ns, duration_ns AS value, cpu, pid, comm
FROM runnable WHERE why = 'preempted'
