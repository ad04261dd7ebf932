-- title: Call time
-- description: From the call of a function, on which a probe with --return is, until it is back.
-- unit: ns
-- events: probe
-- by: name
-- columns: name: the probe; error: what the call failed with, if the probe has ret
SELECT start_ns, duration_ns AS value, cpu, pid, comm, name, error
FROM calls
