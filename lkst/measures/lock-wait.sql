-- title: Lock wait
-- description: Time of a wait for a lock.
-- unit: ns
-- events: contention_begin contention_end
-- by: lock
-- columns: lock: its symbol or address; kind: mutex, spin, ...; owner_pid: owner, if the
--     lock names it; owner_comm: its name
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, coalesce(name, printf('0x%x', lock)) AS lock, kind,
    owner_pid, owner_comm
FROM lock_waits
