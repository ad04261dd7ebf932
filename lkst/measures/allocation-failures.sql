-- title: Allocation failures
-- description: Allocations that got no memory.
-- unit: failures
-- events: mm_page_alloc|kmalloc|kmem_cache_alloc
-- by: kind
-- over-time: count
-- columns: kind: page, kmalloc or slab; call_site: who wanted it; cache: of a slab
SELECT start_ns, 1 AS value, cpu, pid, comm, kind, call_site, cache
FROM allocations WHERE failed
