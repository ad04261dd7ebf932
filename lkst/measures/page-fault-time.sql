-- title: Page fault time
-- description: From a page fault until handle_mm_fault() returns.
-- unit: ns
-- events: page_fault_user|page_fault_kernel handle_mm_fault
-- by: task
-- columns: mode: user or kernel; error: kind of access; result: VM_FAULT_*
SELECT start_ns, duration_ns AS value, cpu, pid, comm, mode, error, result
FROM page_faults
