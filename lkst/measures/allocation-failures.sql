-- title: Allocation failures
-- description: Allocations that failed.
-- unit: failures
-- events: mm_page_alloc|kmalloc|kmem_cache_alloc
-- by: kind
-- over-time: count
-- columns: kind: page, kmalloc or slab; call_site: caller; cache: slab cache
SELECT start_ns, 1 AS value, cpu, pid, comm, kind, call_site, cache
FROM allocations WHERE failed
