-- title: Work item time
-- description: Time of the execution of a work item.
-- unit: ns
-- events: workqueue_execute_start workqueue_execute_end
-- by: function
-- columns: function: function of the work item
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, function
FROM work_items
