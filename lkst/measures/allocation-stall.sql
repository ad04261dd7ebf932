-- title: Allocation stalls
-- description: Time of direct reclaim or direct compaction in an allocation.
-- unit: ns
-- events: mm_vmscan_direct_reclaim_begin|mm_compaction_begin
--     mm_vmscan_direct_reclaim_end|mm_compaction_end
-- by: kind
-- columns: kind: reclaim or compaction; order: log2 of the pages; gfp_flags: flags of
--     the allocation
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, kind, "order", gfp_flags
FROM reclaims
