// SPDX-License-Identifier: GPL-2.0-or-later
/* Category memory: include/trace/events/{vmscan,oom,kmem}.h */
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
		__builtin_memset(e->comm, 0, sizeof(e->comm));
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
