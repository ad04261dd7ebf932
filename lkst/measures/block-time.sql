-- title: Block request time
-- description: From issue of a block request to the driver until its completion.
-- unit: ns
-- events: block_rq_issue block_rq_complete
-- by: dev,op
-- columns: dev: the device, major:minor; op: READ, WRITE, ...; bytes: size; sector: first
--     sector; status: result
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, dev, op, bytes, sector, status
FROM block_requests WHERE NOT requeued
