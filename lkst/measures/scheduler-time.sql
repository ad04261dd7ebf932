-- title: Scheduler time
-- description: From entry to schedule() until a task continues on that CPU.
-- unit: ns
-- events: schedule schedule_exit
-- by: cpu
-- columns: state: state of the task at entry
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, state
FROM schedules
