-- title: Page fault time
-- description: From a page fault until it has been dealt with.
-- unit: ns
-- events: page_fault_user|page_fault_kernel handle_mm_fault
-- by: task
-- columns: mode: user or kernel; error: what kind of access; result: what came of it
SELECT start_ns, duration_ns AS value, cpu, pid, comm, mode, error, result
FROM page_faults
