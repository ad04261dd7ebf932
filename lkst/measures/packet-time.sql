-- title: Packet time
-- description: From when the network stack receives a packet until the packet is consumed or
--     dropped.
-- unit: ns
-- events: netif_receive_skb consume_skb|kfree_skb
-- by: dev
-- columns: dev: the device; protocol: IPv4, ...; dropped: whether it was dropped; bytes:
--     length
SELECT start_ns, duration_ns AS value, cpu, pid, comm, dev, protocol, dropped, bytes
FROM packets WHERE direction = 'in'
