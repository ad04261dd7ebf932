-- title: Block request time
-- description: From when the driver gets a block request until it is completed.
-- unit: ns
-- events: block_rq_issue block_rq_complete
-- by: dev,op
-- columns: dev: the device, major:minor; op: READ, WRITE, ...; bytes: how much; sector: where;
--     status: what came of it
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, dev, op, bytes, sector, status
FROM block_requests WHERE NOT requeued
