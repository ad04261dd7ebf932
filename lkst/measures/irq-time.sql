-- title: Interrupt handler time
-- description: Time of a run of a device's interrupt handler.
-- unit: ns
-- events: irq_handler_entry irq_handler_exit
-- by: name
-- columns: irq: interrupt number; name: device; handler: function
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, irq, name, handler
FROM irqs
