// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Probes: events that users add while the machine runs. These programs are templates.
 * For each probe the loader loads a copy of one, or of two for a call and its return. It
 * sets the constants and writes BPF instructions that fetch the fields to PLACE. So the
 * traced machine needs no compiler, and the code that writes a record exists only in C.
 */
#include "record.h"

char _license[] SEC("license") = "GPL";

/* A text with the zero at its end; longer ones are cut. */
#define PROBE_TEXT 256

/* Calls that can be under way at the same time. */
#define PROBE_CALLS 4096

#define LIMIT_PERIOD 1000000 /* ns */

/* Set by the loader. */
const volatile struct {
	__u32 event;
	__u32 place;  /* number of the probe's place in the catalogue */
	__u32 limit;  /* records in each period on each CPU; 0: no limit */
	__u32 text;   /* offset of the text in the payload, behind its length; 0: no text */
	__u32 tested; /* not 0: there is a condition */
} probe SEC(".rodata.probe") = {};

/* What was read when a call began. The loader makes it smaller if there is no text. */
struct probe_call {
	__u64 since;
	__u8 payload[LKST_PAYLOAD_SIZE];
	char text[PROBE_TEXT];
};

/* Scratch for a record's text, and for a call that begins. Its one program does not nest. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe_call);
} probe_aside SEC(".maps");

/* Calls under way, by the address of their frame, which nested calls do not share. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_CALLS);
	__type(key, __u64);
	__type(value, struct probe_call);
} probe_calls SEC(".maps");

/* The context of the instructions at PLACE: r6 points to it. */
struct fetch_context {
	void *ctx;
	__u8 *payload;
	char *text;
	__u64 elapsed;
	__u64 scratch;
};

/*
 * Fetch the fields; return whether the condition holds. PLACE is here: the loader finds it by
 * the number in its first instruction. The instructions return their result in r0 and may
 * change r0 to r8. Unused ones cost nothing: the kernel removes such jumps (opt_remove_nops()
 * in kernel/bpf/verifier.c).
 */
static __always_inline bool fetch(struct fetch_context *context)
{
	__u64 keep;

	asm volatile("r6 = %[context]\n"
		     "r0 = 0x4c4b5354\n"
		     ".rept 767\n"
		     "goto +0\n"
		     ".endr\n"
		     "%[keep] = r0\n"
		     : [keep] "=r"(keep)
		     : [context] "r"(context)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "memory");
	return keep;
}

static __always_inline struct lkst_flow *my_flow(void)
{
	struct lkst_cpu *c = lkst_this_cpu();

	return c ? &c->flow[probe.place % LKST_MAX_PROBES] : NULL;
}

static __always_inline void count_unpaired(void)
{
	struct lkst_flow *flow = my_flow();

	if (flow)
		flow->unpaired++;
}

/* Return whether the limit allows one more record. Counting has no limit. */
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
	/* Reading the clock is expensive, so it is read only when the limit is reached. */
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

/* Set the size of a record with its text; then go on as with other events. */
static __always_inline void evaluate_and_record_text(void *ctx, struct record *r, const char *text)
{
	struct lkst_slot *slot = r->slot;
	__u32 room = LKST_PAYLOAD_SIZE - probe.text, more = 0;
	__u32 len = *(__u16 *)(slot->payload + probe.text - sizeof(__u16));

	if (len > room)
		more = len - room;
	slot->what += (__u64)((more + LKST_CONTINUATION_SIZE - 1) / LKST_CONTINUATION_SIZE)
		      << LKST_NR_SHIFT;
	if (len == PROBE_TEXT - 1)
		slot->what |= (__u64)LKST_FLAG_TRUNCATED << LKST_FLAGS_SHIFT;
	evaluate_and_record(ctx, r, text + room, more);
}

/* Record that the probe was hit, or, with @call, that this call returns. */
static __always_inline int hit(void *ctx, struct probe_call *call)
{
	__u32 how = handler_of(probe.event), as, zero = 0;
	struct fetch_context context = {.ctx = ctx};
	struct lkst_slot scratch;
	struct record record;

	if (how == LKST_OFF)
		return 0;
	if (!probe.tested && !may_record(how))
		return 0;
	/* With a condition or a text the record is made on the stack first. */
	as = probe.tested || probe.text ? LKST_STACK : how;
	if (!begin_record(&record, &scratch, as, probe.event, current_pid()))
		return 0;
	context.payload = record.slot->payload;
	if (call) {
		__builtin_memcpy(record.slot->payload, call->payload, LKST_PAYLOAD_SIZE);
		context.elapsed = record.slot->ts - call->since;
		if (probe.text)
			context.text = call->text;
	} else if (probe.text) {
		call = bpf_map_lookup_elem(&probe_aside, &zero);
		if (!call)
			return 0;
		context.text = call->text;
	}
	if (!fetch(&context))
		return 0;
	if (as == LKST_RECORD) {
		commit(&record);
		return 0;
	}
	if (probe.tested && !may_record(how))
		return 0;
	if (probe.text)
		evaluate_and_record_text(ctx, &record, context.text);
	else
		evaluate_and_record(ctx, &record, NULL, 0);
	return 0;
}

/* Fetch the fields when a call begins, and keep them. */
static __always_inline int enter(void *ctx, __u64 frame)
{
	struct fetch_context context = {.ctx = ctx};
	struct probe_call *call;
	__u32 zero = 0;

	if (handler_of(probe.event) == LKST_OFF)
		return 0;
	call = bpf_map_lookup_elem(&probe_aside, &zero);
	if (!call)
		return 0;
	context.payload = call->payload;
	if (probe.text)
		context.text = call->text;
	fetch(&context);
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
	/* Last: a deleted entry may be reused at once. */
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

/* One trampoline calls both with the same context, which is in its frame. */
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

/* sp is the 20th word of struct pt_regs (arch/x86/include/asm/ptrace.h). */
#define STACK_POINTER(ctx) (((const __u64 *)(ctx))[19])

SEC("kprobe")
int enter_kprobe(void *ctx)
{
	return enter(ctx, STACK_POINTER(ctx));
}

/* The return has popped the return address. */
SEC("kretprobe")
int leave_kretprobe(void *ctx)
{
	return leave(ctx, STACK_POINTER(ctx) - 8);
}
