-- title: Allocated memory
-- description: Size of each allocation.
-- unit: bytes
-- events: mm_page_alloc|kmalloc|kmem_cache_alloc
-- by: kind
-- over-time: sum
-- columns: kind: page, kmalloc or slab; call_site: caller; cache: slab cache
SELECT start_ns, bytes AS value, cpu, pid, comm, kind, call_site, cache
FROM allocations WHERE start_ns IS NOT NULL AND NOT failed
