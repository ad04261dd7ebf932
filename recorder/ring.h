/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a record: claim slots of this CPU's ring, fill them, commit.
 *
 * A claim is one atomic add, so an interrupt or NMI that comes between claim
 * and commit takes the next slots and nobody waits. No path fails.
 *
 * The order of the stores matters to whoever reads the ring afterwards; on
 * x86-64 stores stay in program order, so keeping the compiler in order is
 * enough.
 */
#ifndef LKST_RING_H
#define LKST_RING_H

#include "closer.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define MORE_SIZE sizeof(((struct lkst_more *)0)->payload)

/* The most that a text can be: the longest console line is 1024 bytes. */
#define TEXT_MAX 1024

/* The stack is scarce: what can be derived is not kept. */
struct record {
	struct lkst_slot *slot; /* in the ring, or on the stack */
	void *ring;		/* the map; NULL: lkst_ring */
	__u64 word;		/* to commit with */
	__u32 base;		/* index of the CPU's first slot */
	__u32 mask;
};

static __always_inline __u32 handler_of(__u32 event)
{
	return lkst_control.handler[lkst_control.active % LKST_MAX_MASKSETS][event];
}

static __always_inline bool wanted(__u32 event)
{
	return handler_of(event) != LKST_OFF;
}

static __always_inline struct lkst_slot *slot_at(const struct record *r, __u64 seq)
{
	__u32 index = r->base + (seq & r->mask);

	if (r->ring) {
		struct lkst_slot *slot = bpf_map_lookup_elem(r->ring, &index);

		/* clang would make one call of both, in a map that nobody knows. */
		asm volatile("" : "+r"(slot));
		return slot;
	}
	return bpf_map_lookup_elem(&lkst_ring, &index);
}

static __always_inline void set_word(__u64 *word, __u64 value)
{
	*(volatile __u64 *)word = value;
	barrier();
}

static __always_inline __u64 claimed(__u64 word)
{
	return word ^ ~LKST_SEQ_MASK;
}

static __always_inline __u64 what_of(__u32 event, __u32 nr, __u32 pid)
{
	return event | (__u64)bpf_get_smp_processor_id() << LKST_CPU_SHIFT |
	       (__u64)pid << LKST_PID_SHIFT | (__u64)nr << LKST_NR_SHIFT;
}

/* Claim the slots of a record; @what says how many. A note is about the recorder itself. */
static __always_inline bool claim_any(struct record *r, __u64 what, __u64 ts, bool note)
{
	__u32 cpu = what >> LKST_CPU_SHIFT & 0xffff;
	__u32 nr = what >> LKST_NR_SHIFT & LKST_MAX_SLOTS;
	__u32 into = lkst_control.into % LKST_MAX_BUFFERS;
	struct lkst_cpu *c = bpf_map_lookup_elem(&lkst_cpus, &cpu);
	volatile struct lkst_buffer *buffer = &lkst_control.buffer[into];
	__u32 nr_slots = buffer->nr_slots;
	struct lkst_place *place;
	__u64 seq;

	if (!c)
		return false;
	place = &c->place[into];
	if (place->head >= place->limit) {
		__sync_fetch_and_add(&c->refused, 1);
		return false;
	}
	r->ring = NULL;
	if (into != lkst_control.home) {
		r->ring = bpf_map_lookup_elem(&lkst_buffers, &into);
		if (!r->ring)
			return false;
	}
	/*
	 * The kernel skips an event's program while it runs on this CPU already, preempted or
	 * interrupted, so no atomic is needed. Notes come from many programs.
	 */
	if (note)
		__sync_fetch_and_add(&c->count[what & (LKST_MAX_EVENTS - 1)], 1);
	else
		c->count[what & (LKST_MAX_EVENTS - 1)]++;
	seq = __sync_fetch_and_add(&place->head, nr) & LKST_SEQ_MASK;
	r->base = cpu * nr_slots;
	r->mask = nr_slots - 1;
	r->word = seq | (__u64)buffer->tag << LKST_SEQ_BITS;
	r->slot = slot_at(r, seq);
	if (!r->slot)
		return false;
	set_word(&r->slot->commit, claimed(r->word));
	set_word(&r->slot->what, what);
	set_word(&r->slot->ts, ts);
	return true;
}

static __always_inline bool claim(struct record *r, __u64 what, __u64 ts)
{
	return claim_any(r, what, ts, false);
}

static __always_inline void commit(const struct record *r)
{
	barrier();
	set_word(&r->slot->commit, r->word);
}

/*
 * The id of the thread that runs. The kernel is asked each time: it does not report
 * all switches to the tracepoint, so what sched_switch's program could leave for the
 * others is not always true.
 */
static __always_inline __u32 current_pid(void)
{
	return bpf_get_current_task_btf()->pid;
}

/* Begin a record of one slot: in the ring, or, for a closer look, on the stack. */
static __always_inline bool begin(struct record *r, struct lkst_slot *scratch, __u32 how,
				  __u32 event, __u32 pid)
{
	__u64 what = what_of(event, 1, pid);

	if (how == LKST_RECORD)
		return claim(r, what, bpf_ktime_get_ns());
	__builtin_memset(scratch, 0, sizeof(*scratch));
	scratch->what = what;
	scratch->ts = bpf_ktime_get_ns();
	r->slot = scratch;
	r->ring = NULL;
	/* clang may keep it in a register, and the verifier looks at those. */
	r->word = 0;
	return true;
}

/* Read up to @size bytes of kernel memory; @max is what @dst can hold. */
static __always_inline void read_some(void *dst, __u32 size, __u32 max, const void *src)
{
	/* clang would drop the test as useless where it knows better than
	 * the verifier. */
	asm volatile("" : "+r"(size));
	if (size > max)
		size = max;
	bpf_probe_read_kernel(dst, size, src);
}

/*
 * Write the slots behind a record's first one. A function of its own, so that
 * the verifier walks the loop once for each text and not for each way to it.
 */
static __noinline int write_more(const struct record *r, const char *src, __u32 len)
{
	__u64 cpu = r->slot->what & (0xffffULL << LKST_CPU_SHIFT);
	__u64 word = r->word;
	__u32 i;

	for (i = 0; i < (TEXT_MAX + MORE_SIZE - 1) / MORE_SIZE; i++) {
		__u32 done = i * MORE_SIZE;
		struct lkst_more *more;

		if (done >= len)
			break;
		word++;
		more = (struct lkst_more *)slot_at(r, word);
		if (!more)
			break;
		set_word(&more->commit, claimed(word));
		more->what = EV_more | cpu | (__u64)(i + 1) << LKST_PID_SHIFT;
		read_some(more->payload, len - done, MORE_SIZE, src + done);
		set_word(&more->commit, word);
	}
	return 0;
}

/*
 * Stacks that are taken at the same time on a CPU. The kernel keeps registers for three, of
 * all BPF programs together, and until 6.16 a fourth is a WARN (get_bpf_raw_tp_regs() in
 * kernel/trace/bpf_trace.c).
 */
#define MAX_WALKS 2

/* Take the kernel's stack; @frames stays as it is if that is not possible. */
static __always_inline void get_stack(void *ctx, __u64 *frames, __u32 size, __u64 skip)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct lkst_cpu *c = bpf_map_lookup_elem(&lkst_cpus, &cpu);

	if (!c)
		return;
	if (__sync_fetch_and_add(&c->walks, 1) < MAX_WALKS)
		bpf_get_stack(ctx, frames, size, skip);
	__sync_fetch_and_add(&c->walks, -1);
}

/* Frames that a slot holds. */
#define SLOT_FRAMES (MORE_SIZE / sizeof(__u64))

/*
 * The kernel's stack, into the slots that follow the record's first @done ones.
 * Half of it at a time: the stacks of BPF programs are small.
 */
static __noinline int write_stack(void *ctx, const struct record *r, __u32 done)
{
	__u64 cpu = r->slot->what & (0xffffULL << LKST_CPU_SHIFT);
	__u64 frames[LKST_STACK_FRAMES / 2];
	const __u64 *from = frames;
	__u32 i, word;

#pragma clang loop unroll(disable)
	for (i = 0; i < LKST_STACK_SLOTS; i++) {
		__u64 commit = r->word + done + i;
		struct lkst_more *more = (struct lkst_more *)slot_at(r, commit);

		if (!more)
			break;
		if (i % 2 == 0) {
			__builtin_memset(frames, 0, sizeof(frames));
			get_stack(ctx, frames, sizeof(frames), i * SLOT_FRAMES);
			from = frames;
		}
		set_word(&more->commit, claimed(commit));
		more->what = EV_more | cpu | (__u64)(done + i) << LKST_PID_SHIFT;
		for (word = 0; word < SLOT_FRAMES; word++)
			((__u64 *)more->payload)[word] = from[word];
		set_word(&more->commit, commit);
		from += SLOT_FRAMES;
	}
	return 0;
}

static __always_inline __u64 with_stack(__u64 what)
{
	return (what | (__u64)LKST_FLAG_STACK << LKST_FLAGS_SHIFT) +
	       ((__u64)LKST_STACK_SLOTS << LKST_NR_SHIFT);
}

#include "fire.h"

/*
 * What becomes of an event that lies in a slot on the stack, with @len bytes of
 * text at @text that found no room in it.
 */
static __noinline int settle(void *ctx, struct record *r, const char *text, __u32 len)
{
	struct lkst_slot *scratch = r->slot;
	__u64 what = scratch->what;
	__u32 nr = what >> LKST_NR_SHIFT & LKST_MAX_SLOTS;
	__u64 verdict = VERDICT_KEEP;

	if (handler_of(lkst_event_of(scratch)) != LKST_RECORD)
		verdict = lkst_consider(scratch);
	if (verdict & VERDICT_STACK)
		what = with_stack(what);
	if (verdict & VERDICT_KEEP && claim(r, what, scratch->ts)) {
		__builtin_memcpy(r->slot->payload, scratch->payload, PAYLOAD_SIZE);
		if (len)
			write_more(r, text, len);
		if (verdict & VERDICT_STACK)
			write_stack(ctx, r, nr);
		commit(r);
	}
	if (verdict >> VERDICT_FIRE_SHIFT)
		lkst_fire(scratch, verdict >> VERDICT_FIRE_SHIFT);
	return 0;
}

/*
 * Start a record of one slot: "RECORD(sched_switch, e)" declares e, a pointer
 * to the record's fields, or leaves the program if nobody wants the event.
 * COMMIT() ends it. The record is the current thread's, or that of another one.
 */
#define RECORD_OF(name, e, pid)                                                                    \
	struct lkst_##name *e;                                                                     \
	struct lkst_slot scratch;                                                                  \
	struct record record;                                                                      \
	__u32 how = handler_of(EV_##name);                                                         \
	/* First of all: an event that is off costs no more than this. */                          \
	if (how == LKST_OFF)                                                                       \
		return 0;                                                                          \
	if (!begin(&record, &scratch, how, EV_##name, pid))                                        \
		return 0;                                                                          \
	e = (struct lkst_##name *)record.slot->payload

#define RECORD(name, e) RECORD_OF(name, e, current_pid())

#define COMMIT()                                                                                   \
	do {                                                                                       \
		if (how == LKST_RECORD)                                                            \
			commit(&record);                                                           \
		else                                                                               \
			settle(ctx, &record, NULL, 0);                                             \
	} while (0)

/*
 * Record @event with @fixed in front of a text at kernel address @src.
 * @fixed's last member is the text's length.
 */
static __always_inline void record_text(void *ctx, __u32 event, const void *fixed, __u32 fixed_size,
					const char *src, __u32 len)
{
	__u32 room = PAYLOAD_SIZE - fixed_size;
	struct lkst_slot scratch = {.ts = bpf_ktime_get_ns()};
	struct record r = {.slot = &scratch};
	__u64 flags = 0;
	__u32 nr = 1;

	if (len > TEXT_MAX) {
		len = TEXT_MAX;
		flags = (__u64)LKST_FLAG_TRUNCATED << LKST_FLAGS_SHIFT;
	}
	if (len > room)
		nr += (len - room + MORE_SIZE - 1) / MORE_SIZE;
	scratch.what = what_of(event, nr, bpf_get_current_task_btf()->pid) | flags;
	__builtin_memcpy(scratch.payload, fixed, fixed_size);
	*(__u16 *)(scratch.payload + fixed_size - sizeof(__u16)) = len;
	read_some(scratch.payload + fixed_size, len, room, src);
	settle(ctx, &r, src + room, len > room ? len - room : 0);
}

/* Characters of a string that are looked at together. */
#define PIECE (64 - 1)

/*
 * The length of a kernel string, at most a little more than TEXT_MAX; negative: it cannot be
 * read. No buffer is shared with a program that interrupts or preempts this one.
 */
static __noinline int string_length(const char *src)
{
	char piece[PIECE + 1];
	int length = 0;
	__u32 i;

	for (i = 0; i <= TEXT_MAX / PIECE; i++) {
		long size = bpf_probe_read_kernel_str(piece, sizeof(piece), src + i * PIECE);

		if (size <= 0)
			return i ? length : -1;
		length += size - 1;
		if (size <= PIECE)
			break;
	}
	return length;
}

/* The same for a string whose length is not known. */
static __always_inline void record_string(void *ctx, __u32 event, const void *fixed,
					  __u32 fixed_size, const char *src)
{
	int length = string_length(src);

	if (length >= 0)
		record_text(ctx, event, fixed, fixed_size, src, length);
}

/* Both words of a comm at once; it is aligned in every record. */
static __always_inline void copy_comm(lkst_comm to, const struct task_struct *task)
{
	const __u64 *from = (const __u64 *)task->comm;

	((__u64 *)to)[0] = from[0];
	((__u64 *)to)[1] = from[1];
}

/* A name that is not known; the kernel fills up a name that is empty with zeros. */
static __always_inline void forget_comm(lkst_comm to)
{
	((__u64 *)to)[0] = LKST_NO_COMM;
	((__u64 *)to)[1] = 0;
}

static __always_inline void copy_name(lkst_name to, const struct net_device *dev)
{
	const __u64 *from = (const __u64 *)dev->name;

	((__u64 *)to)[0] = from[0];
	((__u64 *)to)[1] = from[1];
}

#endif
