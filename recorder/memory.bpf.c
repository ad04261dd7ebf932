// SPDX-License-Identifier: GPL-2.0-or-later
/* Category memory: include/trace/events/{vmscan,oom,kmem,compaction}.h */
#include "record.h"

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int BPF_PROG(mm_vmscan_direct_reclaim_begin, __u64 first, __u64 second)
{
	const bool gfp_first = bpf_core_field_exists(
		struct trace_event_raw_mm_vmscan_direct_reclaim_begin_template, memcg_id);

	RECORD(mm_vmscan_direct_reclaim_begin, e);
	e->order = gfp_first ? second : first;
	e->gfp_flags = gfp_first ? first : second;
	COMMIT();
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(mm_vmscan_direct_reclaim_end, unsigned long nr_reclaimed)
{
	RECORD(mm_vmscan_direct_reclaim_end, e);
	e->nr_reclaimed = nr_reclaimed;
	COMMIT();
	return 0;
}

SEC("tp_btf/mm_vmscan_kswapd_wake")
int BPF_PROG(mm_vmscan_kswapd_wake, int nid, int zid, int order)
{
	RECORD(mm_vmscan_kswapd_wake, e);
	e->nid = nid;
	e->zid = zid;
	e->order = order;
	COMMIT();
	return 0;
}

SEC("tp_btf/mm_vmscan_kswapd_sleep")
int BPF_PROG(mm_vmscan_kswapd_sleep, int nid)
{
	RECORD(mm_vmscan_kswapd_sleep, e);
	e->nid = nid;
	COMMIT();
	return 0;
}

SEC("tp_btf/mm_vmscan_throttled")
int BPF_PROG(mm_vmscan_throttled, int nid, int timeout, int delayed, int reason)
{
	RECORD(mm_vmscan_throttled, e);
	e->nid = nid;
	e->timeout = timeout;
	e->delayed = delayed;
	e->reason = reason;
	COMMIT();
	return 0;
}

SEC("tp_btf/mm_compaction_begin")
int BPF_PROG(mm_compaction_begin, struct compact_control *cc, unsigned long start,
	     unsigned long end, bool sync)
{
	RECORD(mm_compaction_begin, e);
	e->migrate_pfn = cc->migrate_pfn;
	e->free_pfn = cc->free_pfn;
	e->order = cc->order;
	e->gfp_flags = cc->gfp_mask;
	e->sync = sync;
	COMMIT();
	return 0;
}

SEC("tp_btf/mm_compaction_end")
int BPF_PROG(mm_compaction_end, struct compact_control *cc, unsigned long start, unsigned long end,
	     bool sync, int status)
{
	RECORD(mm_compaction_end, e);
	e->migrate_pfn = cc->migrate_pfn;
	e->free_pfn = cc->free_pfn;
	e->order = cc->order;
	e->status = status;
	e->sync = sync;
	COMMIT();
	return 0;
}

/* Until 6.9 the argument is a pid (72ba14deb40a). */
SEC("tp_btf/mark_victim")
int mark_victim(__u64 *ctx)
{
	RECORD(mark_victim, e);
	if (bpf_core_field_exists(struct trace_event_raw_mark_victim, uid)) {
		const struct task_struct *task = (const struct task_struct *)ctx[0];

		copy_comm(e->comm, task);
		e->pid = task->pid;
	} else {
		set_comm_unknown(e->comm);
		e->pid = ctx[0];
	}
	COMMIT();
	return 0;
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(mm_page_alloc, void *page, unsigned int order, unsigned int gfp_flags, int migratetype)
{
	RECORD(mm_page_alloc, e);
	e->page = (__u64)page;
	e->order = order;
	e->gfp_flags = gfp_flags;
	e->migratetype = migratetype;
	COMMIT();
	return 0;
}

SEC("tp_btf/mm_page_free")
int BPF_PROG(mm_page_free, void *page, unsigned int order)
{
	RECORD(mm_page_free, e);
	e->page = (__u64)page;
	e->order = order;
	COMMIT();
	return 0;
}

/* Raw tracepoints: 6.1 does not let typed ones read a pointer to const void. */
SEC("raw_tp/kmalloc")
int BPF_PROG(kmalloc, unsigned long call_site, void *ptr, __u64 bytes_req, __u64 bytes_alloc,
	     unsigned int gfp_flags, int node)
{
	RECORD(kmalloc, e);
	e->call_site = call_site;
	e->ptr = (__u64)ptr;
	e->bytes_req = bytes_req;
	e->bytes_alloc = bytes_alloc;
	e->gfp_flags = gfp_flags;
	e->node = node;
	COMMIT();
	return 0;
}

SEC("raw_tp/kfree")
int BPF_PROG(kfree, unsigned long call_site, void *ptr)
{
	RECORD(kfree, e);
	e->call_site = call_site;
	e->ptr = (__u64)ptr;
	COMMIT();
	return 0;
}

SEC("raw_tp/kmem_cache_alloc")
int BPF_PROG(kmem_cache_alloc, unsigned long call_site, void *ptr, struct kmem_cache *cache,
	     unsigned int gfp_flags)
{
	RECORD(kmem_cache_alloc, e);
	e->call_site = call_site;
	e->ptr = (__u64)ptr;
	bpf_probe_read_kernel_str(e->cache, sizeof(e->cache), BPF_CORE_READ(cache, name));
	e->size = BPF_CORE_READ(cache, object_size);
	e->gfp_flags = gfp_flags;
	COMMIT();
	return 0;
}

SEC("raw_tp/kmem_cache_free")
int BPF_PROG(kmem_cache_free, unsigned long call_site, void *ptr, struct kmem_cache *cache)
{
	RECORD(kmem_cache_free, e);
	e->call_site = call_site;
	e->ptr = (__u64)ptr;
	bpf_probe_read_kernel_str(e->cache, sizeof(e->cache), BPF_CORE_READ(cache, name));
	COMMIT();
	return 0;
}
