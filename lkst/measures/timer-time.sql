-- title: Timer function time
-- description: Time of a run of a timer's function.
-- unit: ns
-- events: timer_expire_entry|hrtimer_expire_entry timer_expire_exit|hrtimer_expire_exit
-- by: function
-- columns: kind: timer or hrtimer; function: function of the timer
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, kind, function
FROM timers
