-- title: Packet sizes
-- description: Sizes of received and sent packets.
-- unit: bytes
-- events: netif_receive_skb|net_dev_xmit
-- by: dev,direction
-- over-time: sum
-- columns: dev: the device; direction: in or out; protocol: IPv4, ...
SELECT start_ns, bytes AS value, cpu, pid, comm, dev, direction, protocol
FROM packets WHERE start_ns IS NOT NULL
