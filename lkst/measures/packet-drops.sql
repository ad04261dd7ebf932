-- title: Packet drops
-- description: Dropped packets.
-- unit: packets
-- events: kfree_skb
-- by: reason
-- over-time: count
-- columns: reason: reason of the drop; location: function that dropped it
SELECT end_ns AS start_ns, 1 AS value, cpu, pid, comm, reason, location
FROM packets WHERE dropped
