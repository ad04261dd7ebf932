/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a record: what a program does with an event.
 *
 * An event that is simply recorded is written into the ring where it happens. Otherwise,
 * and with a text, it is first made in a slot on the stack, evaluated, and then copied.
 */
#ifndef LKST_RECORD_H
#define LKST_RECORD_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "catalogue.h"
#include "evaluate.h"
#include "kernel.h"
#include "layout.h"
#include "maps.h"
#include "slot.h"
#include "trigger.h"
#include "types.h"

/* Longest text. The longest console line is 1024 bytes. */
#define TEXT_MAX 1024

/* Begin a record of one slot: in the ring, or on the stack (@scratch) to be evaluated first. */
static __always_inline bool begin_record(struct record *r, struct lkst_slot *scratch, __u32 how,
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
	/* clang may keep it in a register, which the verifier wants to be initialised. */
	r->word = 0;
	return true;
}

/* Read @size bytes of kernel memory, at most @max: the size of @dst. */
static __always_inline void read_up_to(void *dst, __u32 size, __u32 max, const void *src)
{
	/* clang would drop the test if it knew the bound, which the verifier may not know. */
	asm volatile("" : "+r"(size));
	if (size > max)
		size = max;
	bpf_probe_read_kernel(dst, size, src);
}

/* Fill in the head of slot @number of a record. @cpu is that part of the second word. */
static __always_inline void begin_continuation(struct lkst_continuation *slot, __u64 word,
					       __u64 cpu, __u32 number)
{
	set_word(&slot->commit, claimed(word));
	slot->what = EV_continuation | cpu | (__u64)number << LKST_PID_SHIFT;
}

/*
 * Write a text into the slots behind a record's first one. Not inlined, so that the
 * verifier checks the loop once for each text and not for each path to it.
 */
static __noinline int write_text(const struct record *r, const char *src, __u32 len)
{
	__u64 cpu = r->slot->what & (0xffffULL << LKST_CPU_SHIFT);
	__u64 word = r->word;
	__u32 i;

	for (i = 0; i < (TEXT_MAX + LKST_CONTINUATION_SIZE - 1) / LKST_CONTINUATION_SIZE; i++) {
		__u32 done = i * LKST_CONTINUATION_SIZE;
		struct lkst_continuation *slot;

		if (done >= len)
			break;
		word++;
		slot = (struct lkst_continuation *)slot_at(r, word);
		if (!slot)
			break;
		begin_continuation(slot, word, cpu, i + 1);
		read_up_to(slot->payload, len - done, LKST_CONTINUATION_SIZE, src + done);
		set_word(&slot->commit, word);
	}
	return 0;
}

/*
 * Stacks that may be unwound at the same time on a CPU. The kernel keeps registers for three
 * for all BPF programs together, and until 6.16 a fourth causes a WARN (get_bpf_raw_tp_regs()
 * in kernel/trace/bpf_trace.c).
 */
#define MAX_NESTED_STACKS 2

/* Unwind the kernel's stack; leave @frames as it is if that is not possible. */
static __always_inline void get_stack(void *ctx, __u64 *frames, __u32 size, __u64 skip)
{
	struct lkst_cpu *c = lkst_this_cpu();

	if (!c)
		return;
	if (__sync_fetch_and_add(&c->in_get_stack, 1) < MAX_NESTED_STACKS)
		bpf_get_stack(ctx, frames, size, skip);
	__sync_fetch_and_add(&c->in_get_stack, -1);
}

/* Frames in a slot. */
#define SLOT_FRAMES (LKST_CONTINUATION_SIZE / sizeof(__u64))

/*
 * Write the kernel's stack into the slots behind the record's first @done ones, half of
 * it at a time: BPF programs have small stacks.
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
		struct lkst_continuation *slot = (struct lkst_continuation *)slot_at(r, commit);

		if (!slot)
			break;
		if (i % 2 == 0) {
			__builtin_memset(frames, 0, sizeof(frames));
			get_stack(ctx, frames, sizeof(frames), i * SLOT_FRAMES);
			from = frames;
		}
		begin_continuation(slot, commit, cpu, done + i);
		for (word = 0; word < SLOT_FRAMES; word++)
			((__u64 *)slot->payload)[word] = from[word];
		set_word(&slot->commit, commit);
		from += SLOT_FRAMES;
	}
	return 0;
}

/* Return a record's second word with the slots of a stack added. */
static __always_inline __u64 with_stack(__u64 what)
{
	return (what | (__u64)LKST_FLAG_STACK << LKST_FLAGS_SHIFT) +
	       ((__u64)LKST_STACK_SLOTS << LKST_NR_SHIFT);
}

/* Record an evaluated event if @verdict says so, then run the triggers that it fires. */
static __always_inline void record_evaluated(void *ctx, struct record *r, struct lkst_slot *scratch,
					     __u64 verdict, const char *text, __u32 len)
{
	__u64 what = scratch->what;
	__u32 nr = what >> LKST_NR_SHIFT & LKST_MAX_SLOTS;

	if (verdict & VERDICT_STACK)
		what = with_stack(what);
	if (verdict & VERDICT_KEEP && claim(r, what, scratch->ts)) {
		__builtin_memcpy(r->slot->payload, scratch->payload, LKST_PAYLOAD_SIZE);
		if (len)
			write_text(r, text, len);
		if (verdict & VERDICT_STACK)
			write_stack(ctx, r, nr);
		commit(r);
	}
	if (verdict >> VERDICT_FIRE_SHIFT)
		lkst_run_triggers(scratch, verdict >> VERDICT_FIRE_SHIFT);
}

/*
 * Evaluate an event in a slot on the stack, record it if it is to be kept, and run the
 * triggers that it fires. @len bytes of text at @text have no room in the slot.
 */
static __noinline int evaluate_and_record(void *ctx, struct record *r, const char *text, __u32 len)
{
	struct lkst_slot *scratch = r->slot;
	__u64 verdict = VERDICT_KEEP;

	if (handler_of(lkst_event_of(scratch)) != LKST_RECORD)
		verdict = lkst_evaluate(scratch);
	record_evaluated(ctx, r, scratch, verdict, text, len);
	return 0;
}

/*
 * Begin a record of one slot: "RECORD(sched_switch, e)" declares e, a pointer to the record's
 * fields, or returns from the program if the event is off. COMMIT() ends the record. Its pid
 * is the current thread's; RECORD_PID() takes another one.
 */
#define RECORD_PID(name, e, pid)                                                                   \
	struct lkst_##name *e;                                                                     \
	struct lkst_slot scratch;                                                                  \
	struct record record;                                                                      \
	__u32 how = handler_of(EV_##name);                                                         \
	/* First of all: an event that is off costs no more than this. */                          \
	if (how == LKST_OFF)                                                                       \
		return 0;                                                                          \
	if (!begin_record(&record, &scratch, how, EV_##name, pid))                                 \
		return 0;                                                                          \
	e = (struct lkst_##name *)record.slot->payload

#define RECORD(name, e) RECORD_PID(name, e, current_pid())

#define COMMIT()                                                                                   \
	do {                                                                                       \
		if (how == LKST_RECORD)                                                            \
			commit(&record);                                                           \
		else                                                                               \
			evaluate_and_record(ctx, &record, NULL, 0);                                \
	} while (0)

/*
 * Record @event: the fields @fixed, the last of which becomes the text's length, then
 * the text of @len bytes at kernel address @src.
 */
static __always_inline void record_text(void *ctx, __u32 event, const void *fixed, __u32 fixed_size,
					const char *src, __u32 len)
{
	__u32 room = LKST_PAYLOAD_SIZE - fixed_size;
	struct lkst_slot scratch = {.ts = bpf_ktime_get_ns()};
	struct record r = {.slot = &scratch};
	__u64 flags = 0;
	__u32 nr = 1;

	if (len > TEXT_MAX) {
		len = TEXT_MAX;
		flags = (__u64)LKST_FLAG_TRUNCATED << LKST_FLAGS_SHIFT;
	}
	if (len > room)
		nr += (len - room + LKST_CONTINUATION_SIZE - 1) / LKST_CONTINUATION_SIZE;
	scratch.what = what_of(event, nr, current_pid()) | flags;
	__builtin_memcpy(scratch.payload, fixed, fixed_size);
	*(__u16 *)(scratch.payload + fixed_size - sizeof(__u16)) = len;
	read_up_to(scratch.payload + fixed_size, len, room, src);
	evaluate_and_record(ctx, &r, src + room, len > room ? len - room : 0);
}

/* Characters of a string that are read at once. */
#define CHUNK (64 - 1)

/*
 * Return the length of a kernel string, at most a little more than TEXT_MAX, or -1 if it
 * cannot be read. The buffer is on the stack, so nested programs do not share it.
 */
static __noinline int string_length(const char *src)
{
	char chunk[CHUNK + 1];
	int length = 0;
	__u32 i;

	for (i = 0; i <= TEXT_MAX / CHUNK; i++) {
		long size = bpf_probe_read_kernel_str(chunk, sizeof(chunk), src + i * CHUNK);

		if (size <= 0)
			return i ? length : -1;
		length += size - 1;
		if (size <= CHUNK)
			break;
	}
	return length;
}

/* Record @event with a string, whose length is not known yet. */
static __always_inline void record_string(void *ctx, __u32 event, const void *fixed,
					  __u32 fixed_size, const char *src)
{
	int length = string_length(src);

	if (length >= 0)
		record_text(ctx, event, fixed, fixed_size, src, length);
}

static __always_inline void copy_comm(lkst_comm to, const struct task_struct *task)
{
	copy_16_bytes(to, task->comm);
}

/* Mark a comm as not known; the kernel fills up an empty name with zeros. */
static __always_inline void set_comm_unknown(lkst_comm to)
{
	((__u64 *)to)[0] = LKST_NO_COMM;
	((__u64 *)to)[1] = 0;
}

static __always_inline void copy_name(lkst_name to, const struct net_device *dev)
{
	copy_16_bytes(to, dev->name);
}

#endif
