-- title: Allocated memory
-- description: How much memory is allocated.
-- unit: bytes
-- events: mm_page_alloc|kmalloc|kmem_cache_alloc
-- by: kind
-- over-time: sum
-- columns: kind: page, kmalloc or slab; call_site: who allocated it; cache: of a slab
SELECT start_ns, bytes AS value, cpu, pid, comm, kind, call_site, cache
FROM allocations WHERE start_ns IS NOT NULL AND NOT failed
