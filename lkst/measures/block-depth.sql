-- title: Block request time by depth
-- description: From issue to completion of a block request, by requests in the driver at issue.
-- unit: ns
-- events: block_rq_issue block_rq_complete
-- by: depth
-- columns: depth: requests in the driver, this one included; dev: the device, major:minor; op: READ,
--     WRITE, ...
SELECT start_ns, duration_ns AS value, cpu, pid, comm, depth, dev, op
FROM block_requests WHERE start_ns IS NOT NULL AND NOT requeued
