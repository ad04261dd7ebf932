-- title: Block request wait
-- description: From when the I/O scheduler gets a block request until the driver gets it.
-- unit: ns
-- events: block_rq_insert block_rq_issue
-- by: dev,op
-- columns: dev: the device, major:minor; op: READ, WRITE, ...; bytes: how much
SELECT insert_ns AS start_ns, wait_ns AS value, cpu, pid, comm, dev, op, bytes
FROM block_requests WHERE insert_ns IS NOT NULL
