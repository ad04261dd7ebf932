-- title: Packet drops
-- description: Packets that are dropped.
-- unit: packets
-- events: kfree_skb
-- by: reason
-- over-time: count
-- columns: reason: why; location: who dropped it
SELECT end_ns AS start_ns, 1 AS value, cpu, pid, comm, reason, location
FROM packets WHERE dropped
