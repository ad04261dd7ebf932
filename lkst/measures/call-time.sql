-- title: Call time
-- description: From call to return of a function that has a probe with --return.
-- unit: ns
-- events: probe
-- by: name
-- columns: name: the probe; error: errno, if the probe records ret
SELECT start_ns, duration_ns AS value, cpu, pid, comm, name, error
FROM calls
