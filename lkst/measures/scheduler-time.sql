-- title: Scheduler time
-- description: From when a task enters the scheduler until that CPU goes on with one.
-- unit: ns
-- events: schedule schedule_exit
-- by: cpu
-- columns: state: in which the task enters
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, state
FROM schedules
