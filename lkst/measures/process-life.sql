-- title: Process lifetime
-- description: From the fork of a task to its exit.
-- unit: ns
-- events: sched_process_fork sched_process_exit
-- by: comm
-- columns: tgid: process; parent_comm: parent; exit_code: exit status, or signal
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, tgid, parent_comm, exit_code
FROM processes WHERE open IS DISTINCT FROM 'both'
