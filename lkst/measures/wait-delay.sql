-- title: Wait queue delay
-- description: Time of a waiter in a wait queue.
-- unit: ns
-- events: add_wait_queue|prepare_to_wait_event remove_wait_queue|finish_wait
-- by: task
-- columns: queue: its symbol or address
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, coalesce(name, printf('0x%x', queue)) AS queue
FROM queue_waits
