-- title: TCP retransmits
-- description: Retransmitted segments.
-- unit: segments
-- events: tcp_retransmit_skb
-- by: destination,dport
-- over-time: count
-- columns: source: address; sport: port; destination: address; dport: port; state: state of
--     the connection
SELECT ts_ns AS start_ns, 1 AS value, cpu, pid, comm, saddr_name AS source, sport, daddr_name AS destination,
    dport, state_name AS state
FROM tcp_retransmit_skb
