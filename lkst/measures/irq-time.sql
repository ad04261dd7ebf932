-- title: Interrupt handler time
-- description: From the start of a device's interrupt handler to its end.
-- unit: ns
-- events: irq_handler_entry irq_handler_exit
-- by: name
-- columns: irq: number of the interrupt; name: the device; handler: its function
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, irq, name, handler
FROM irqs
