-- title: Allocation hold time
-- description: From allocation to free.
-- unit: ns
-- events: mm_page_alloc|kmalloc|kmem_cache_alloc mm_page_free|kfree|kmem_cache_free
-- by: kind
-- columns: kind: page, kmalloc or slab; call_site: caller; cache: slab cache; bytes: size
SELECT coalesce(start_ns, end_ns) AS start_ns, duration_ns AS value, cpu, pid, comm, kind, call_site, cache, bytes
FROM allocations WHERE NOT failed
