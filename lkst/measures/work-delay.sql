-- title: Work item delay
-- description: From when a work item is queued until a worker starts it.
-- unit: ns
-- events: workqueue_queue_work workqueue_execute_start
-- by: function
-- columns: function: function of the work item; queued_by: task that queued it
SELECT start_ns, delay_ns AS value, cpu, pid, comm, function, queued_by
FROM work_items WHERE start_ns IS NOT NULL
