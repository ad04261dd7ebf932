-- title: System call time
-- description: From the entry of a system call until it is back.
-- unit: ns
-- events: sys_enter sys_exit
-- by: name
-- columns: name: the system call; error: what it failed with, if it did; ret: what it gave back
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, name, error, ret
FROM syscalls
