// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a recorder is compared to: a program that does nothing, one that reads the
 * clock, and one that writes the same into a BPF ring buffer.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

__u64 last;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* What is measured fits in: nobody reads it. */
	__uint(max_entries, 512 * 1024 * 1024);
} ring SEC(".maps");

struct entry {
	__u64 what;
	__u64 ts;
	__u64 payload[5];
};

static __always_inline int submit(const __u64 *ctx)
{
	struct entry *e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);

	if (!e)
		return 0;
	e->what = bpf_get_smp_processor_id() | bpf_get_current_pid_tgid() << 32;
	e->ts = bpf_ktime_get_ns();
	e->payload[0] = ctx[0];
	e->payload[1] = ctx[0];
	e->payload[2] = ctx[0];
	e->payload[3] = ctx[0];
	e->payload[4] = ctx[0];
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

#define PROGRAMS(hook)                                                                             \
	SEC("tp_btf/" #hook) int empty__##hook(__u64 *ctx)                                         \
	{                                                                                          \
		return 0;                                                                          \
	}                                                                                          \
	SEC("tp_btf/" #hook) int clock__##hook(__u64 *ctx)                                         \
	{                                                                                          \
		last = bpf_ktime_get_ns();                                                         \
		return 0;                                                                          \
	}                                                                                          \
	SEC("tp_btf/" #hook) int ringbuf__##hook(__u64 *ctx)                                       \
	{                                                                                          \
		return submit(ctx);                                                                \
	}

/* The compiler is told: PROGRAMS(sys_enter) PROGRAMS(sched_switch) ... */
HOOKS
