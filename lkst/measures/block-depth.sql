-- title: Block request time by depth
-- description: The same by how many requests of the device the driver has when it gets one.
-- unit: ns
-- events: block_rq_issue block_rq_complete
-- by: depth
-- columns: depth: requests with the driver, it included; dev: the device, major:minor; op: READ,
--     WRITE, ...
SELECT start_ns, duration_ns AS value, cpu, pid, comm, depth, dev, op
FROM block_requests WHERE start_ns IS NOT NULL AND NOT requeued
