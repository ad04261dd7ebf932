-- title: System call time
-- description: From entry to return of a system call.
-- unit: ns
-- events: sys_enter sys_exit
-- by: name
-- columns: name: the system call; error: errno, if it failed; ret: return value
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, name, error, ret
FROM syscalls
