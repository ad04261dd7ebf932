// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Probes: events that users add while the machine runs. These programs are templates.
 * The loader loads a copy of one, or of two for a call and its return, for each probe:
 * it sets the constants, and puts what fetches the fields, in instructions of BPF,
 * where PLACE is. So a target needs no compiler, and how a record is written is said
 * in ring.h only.
 */
#include "ring.h"

char _license[] SEC("license") = "GPL";

/* A text with the zero at its end; longer ones are cut. */
#define PROBE_TEXT 256

/* Calls that can be under way at the same time. */
#define PROBE_CALLS 4096

#define LIMIT_PERIOD 1000000 /* ns */

/* What the loader says of the probe. */
const volatile struct {
	__u32 event;
	__u32 place;  /* among the probes */
	__u32 limit;  /* records in each period on each CPU; 0: no limit */
	__u32 text;   /* where in the payload it begins, behind its length; 0: there is none */
	__u32 tested; /* whether there is a condition */
} probe SEC(".rodata.probe") = {};

/* What was read when a call began. Without a text, the loader makes it smaller. */
struct probe_call {
	__u64 since;
	__u8 payload[PAYLOAD_SIZE];
	char text[PROBE_TEXT];
};

/* The text of a record that is made, and a call that begins. One program, which does not nest. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe_call);
} probe_aside SEC(".maps");

/* By where the call's frame is, so that it does not matter who calls and how deep. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_CALLS);
	__type(key, __u64);
	__type(value, struct probe_call);
} probe_calls SEC(".maps");

/* What the instructions at PLACE find by r6. */
struct fetching {
	void *ctx;
	__u8 *payload;
	char *text;
	__u64 elapsed;
	__u64 scratch;
};

/*
 * PLACE: the loader finds it by the number in its first instruction. They leave in r0
 * whether to go on, and may change r0 to r8. What is left of it costs nothing: the kernel
 * takes such jumps out (opt_remove_nops() in kernel/bpf/verifier.c).
 */
static __always_inline bool fetch(struct fetching *fetching)
{
	__u64 keep;

	asm volatile("r6 = %[fetching]\n"
		     "r0 = 0x4c4b5354\n"
		     ".rept 767\n"
		     "goto +0\n"
		     ".endr\n"
		     "%[keep] = r0\n"
		     : [keep] "=r"(keep)
		     : [fetching] "r"(fetching)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "memory");
	return keep;
}

static __always_inline struct lkst_flow *my_flow(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct lkst_cpu *c = bpf_map_lookup_elem(&lkst_cpus, &cpu);

	return c ? &c->flow[probe.place % LKST_MAX_PROBES] : NULL;
}

static __always_inline void count_unpaired(void)
{
	struct lkst_flow *flow = my_flow();

	if (flow)
		flow->unpaired++;
}

/* Whether the limit lets one more through; what only counts is not limited. */
static __always_inline bool may_record(__u32 how)
{
	struct lkst_flow *flow;
	__u64 now;

	how &= LKST_HANDLER_MASK;
	if (!probe.limit || how == LKST_COUNT || how == LKST_HIST)
		return true;
	flow = my_flow();
	if (!flow)
		return false;
	/* The clock is dear: it is read only when all are taken. */
	if (flow->taken >= probe.limit) {
		now = bpf_ktime_get_ns();
		if (now - flow->since < LIMIT_PERIOD) {
			flow->held++;
			return false;
		}
		flow->since = now;
		flow->taken = 0;
	}
	flow->taken++;
	return true;
}

/* A record that lies on the stack, with its text, goes on as those of events do. */
static __always_inline void settle_text(void *ctx, struct record *r, const char *text)
{
	struct lkst_slot *slot = r->slot;
	__u32 room = PAYLOAD_SIZE - probe.text, more = 0;
	__u32 len = *(__u16 *)(slot->payload + probe.text - sizeof(__u16));

	if (len > room)
		more = len - room;
	slot->what += (__u64)((more + MORE_SIZE - 1) / MORE_SIZE) << LKST_NR_SHIFT;
	if (len == PROBE_TEXT - 1)
		slot->what |= (__u64)LKST_FLAG_TRUNCATED << LKST_FLAGS_SHIFT;
	settle(ctx, r, text + room, more);
}

/* Record that the probe was hit, or that a call of which this is known returns. */
static __always_inline int hit(void *ctx, struct probe_call *call)
{
	__u32 how = handler_of(probe.event), as, zero = 0;
	struct fetching fetching = {.ctx = ctx};
	struct lkst_slot scratch;
	struct record record;

	if (how == LKST_OFF)
		return 0;
	if (!probe.tested && !may_record(how))
		return 0;
	/* Not in the ring before it is known whether it is wanted, and how long it is. */
	as = probe.tested || probe.text ? LKST_STACK : how;
	if (!begin(&record, &scratch, as, probe.event, current_pid()))
		return 0;
	fetching.payload = record.slot->payload;
	if (call) {
		__builtin_memcpy(record.slot->payload, call->payload, PAYLOAD_SIZE);
		fetching.elapsed = record.slot->ts - call->since;
		if (probe.text)
			fetching.text = call->text;
	} else if (probe.text) {
		call = bpf_map_lookup_elem(&probe_aside, &zero);
		if (!call)
			return 0;
		fetching.text = call->text;
	}
	if (!fetch(&fetching))
		return 0;
	if (as == LKST_RECORD) {
		commit(&record);
		return 0;
	}
	if (probe.tested && !may_record(how))
		return 0;
	if (probe.text)
		settle_text(ctx, &record, fetching.text);
	else
		settle(ctx, &record, NULL, 0);
	return 0;
}

/* Note what there is to know when a call begins. */
static __always_inline int enter(void *ctx, __u64 frame)
{
	struct fetching fetching = {.ctx = ctx};
	struct probe_call *call;
	__u32 zero = 0;

	if (handler_of(probe.event) == LKST_OFF)
		return 0;
	call = bpf_map_lookup_elem(&probe_aside, &zero);
	if (!call)
		return 0;
	fetching.payload = call->payload;
	if (probe.text)
		fetching.text = call->text;
	fetch(&fetching);
	call->since = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&probe_calls, &frame, call, BPF_ANY))
		count_unpaired();
	return 0;
}

static __always_inline int leave(void *ctx, __u64 frame)
{
	struct probe_call *call;

	if (handler_of(probe.event) == LKST_OFF)
		return 0;
	call = bpf_map_lookup_elem(&probe_calls, &frame);
	if (!call) {
		count_unpaired();
		return 0;
	}
	hit(ctx, call);
	/* Only now: what is deleted may be another's at once. */
	bpf_map_delete_elem(&probe_calls, &frame);
	return 0;
}

SEC("fentry")
int hit_fentry(void *ctx)
{
	return hit(ctx, NULL);
}

SEC("kprobe")
int hit_kprobe(void *ctx)
{
	return hit(ctx, NULL);
}

SEC("tp_btf")
int hit_tracepoint(void *ctx)
{
	return hit(ctx, NULL);
}

/* One trampoline calls both and gives both the same context, which lies in its frame. */
SEC("fentry")
int enter_fentry(void *ctx)
{
	return enter(ctx, (__u64)ctx);
}

SEC("fexit")
int leave_fexit(void *ctx)
{
	return leave(ctx, (__u64)ctx);
}

/* struct pt_regs of arch/x86/include/asm/ptrace.h: sp is its 20th word. */
#define STACK_POINTER(ctx) (((const __u64 *)(ctx))[19])

SEC("kprobe")
int enter_kprobe(void *ctx)
{
	return enter(ctx, STACK_POINTER(ctx));
}

/* The return address has been taken from the stack. */
SEC("kretprobe")
int leave_kretprobe(void *ctx)
{
	return leave(ctx, STACK_POINTER(ctx) - 8);
}
