-- title: System call usage
-- description: Number of system calls.
-- unit: calls
-- events: sys_enter
-- by: name
-- over-time: count
-- columns: name: the system call
SELECT start_ns, 1 AS value, cpu, pid, comm, name
FROM syscalls WHERE start_ns IS NOT NULL
