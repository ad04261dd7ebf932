-- title: Block request wait
-- description: From insertion of a block request into the I/O scheduler until its issue to the driver.
-- unit: ns
-- events: block_rq_insert block_rq_issue
-- by: dev,op
-- columns: dev: the device, major:minor; op: READ, WRITE, ...; bytes: size
SELECT insert_ns AS start_ns, wait_ns AS value, cpu, pid, comm, dev, op, bytes
FROM block_requests WHERE insert_ns IS NOT NULL
