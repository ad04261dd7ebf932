-- title: Allocation stalls
-- description: For how long a task frees or moves memory itself before it gets some.
-- unit: ns
-- events: mm_vmscan_direct_reclaim_begin|mm_compaction_begin
--     mm_vmscan_direct_reclaim_end|mm_compaction_end
-- by: kind
-- columns: kind: reclaim or compaction; order: log2 of the pages in a row; gfp_flags: of the
--     allocation
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, kind, "order", gfp_flags
FROM reclaims
