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

#include "kernel.h"
#include "catalogue.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define MORE_SIZE sizeof(((struct lkst_more *)0)->payload)

/* The most that a text can be: the longest console line is 1024 bytes. */
#define TEXT_MAX 1024

/* A constant to the verifier: the catalogue is frozen. */
#define NR_SLOTS lkst_catalogue.header.nr_slots

/* The loader sets the number of entries. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkst_slot);
} lkst_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkst_cpu);
} lkst_cpus SEC(".maps");

volatile struct lkst_control lkst_control SEC(".data.lkst") = {};

struct record {
	struct lkst_slot *slot;
	const struct task_struct *task; /* whose record it is */
	__u64 word;			/* to commit with */
	__u64 what;
	__u32 base; /* index of the CPU's first slot */
};

static __always_inline bool wanted(__u32 event)
{
	__u32 active = lkst_control.active % LKST_MAX_MASKSETS;

	return lkst_control.handler[active][event] == LKST_RECORD;
}

static __always_inline struct lkst_slot *slot_at(__u32 base, __u64 seq)
{
	__u32 index = base + (seq & (NR_SLOTS - 1));

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

static __always_inline bool claim(struct record *r, __u32 event, __u32 nr,
				  const struct task_struct *task)
{
	__u64 ts = bpf_ktime_get_ns();
	__u32 cpu = bpf_get_smp_processor_id();
	struct lkst_cpu *c = bpf_map_lookup_elem(&lkst_cpus, &cpu);
	__u64 seq;

	if (!c)
		return false;
	/* An event's program does not nest on a CPU: no atomic is needed. */
	c->count[event]++;
	seq = __sync_fetch_and_add(&c->head, nr) & LKST_SEQ_MASK;
	r->base = cpu * NR_SLOTS;
	r->word = seq | (__u64)lkst_catalogue.header.tag << LKST_SEQ_BITS;
	r->task = task;
	r->what = event | (__u64)cpu << LKST_CPU_SHIFT | (__u64)task->pid << LKST_PID_SHIFT |
		  (__u64)nr << LKST_NR_SHIFT;
	r->slot = slot_at(r->base, seq);
	if (!r->slot)
		return false;
	set_word(&r->slot->commit, claimed(r->word));
	set_word(&r->slot->what, r->what);
	set_word(&r->slot->ts, ts);
	return true;
}

static __always_inline void commit(struct record *r)
{
	barrier();
	set_word(&r->slot->commit, r->word);
}

/*
 * Start a record of one slot: "RECORD(sched_switch, e)" declares e, a pointer
 * to the record's fields, or leaves the program if nobody wants the event.
 * COMMIT() ends it. The record is the current task's, or that of another task.
 */
#define RECORD_OF(name, e, of)                                                                     \
	struct lkst_##name *e;                                                                     \
	struct record record;                                                                      \
	if (!wanted(EV_##name) || !claim(&record, EV_##name, 1, of))                               \
		return 0;                                                                          \
	e = (struct lkst_##name *)record.slot->payload

#define RECORD(name, e) RECORD_OF(name, e, bpf_get_current_task_btf())

#define COMMIT() commit(&record)

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
	__u64 cpu = r->what & (0xffffULL << LKST_CPU_SHIFT);
	__u64 word = r->word;
	__u32 base = r->base;
	__u32 i;

	for (i = 0; i < (TEXT_MAX + MORE_SIZE - 1) / MORE_SIZE; i++) {
		__u32 done = i * MORE_SIZE;
		struct lkst_more *more;

		if (done >= len)
			break;
		word++;
		more = (struct lkst_more *)slot_at(base, word);
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
 * Record @event with @fixed in front of a text at kernel address @src.
 * @fixed's last member is the text's length.
 */
static __always_inline void record_text(__u32 event, const void *fixed, __u32 fixed_size,
					const char *src, __u32 len)
{
	__u32 room = PAYLOAD_SIZE - fixed_size;
	__u64 flags = 0;
	struct record r;
	__u32 nr = 1;

	if (len > TEXT_MAX) {
		len = TEXT_MAX;
		flags = (__u64)LKST_FLAG_TRUNCATED << LKST_FLAGS_SHIFT;
	}
	if (len > room)
		nr += (len - room + MORE_SIZE - 1) / MORE_SIZE;
	if (!claim(&r, event, nr, bpf_get_current_task_btf()))
		return;
	set_word(&r.slot->what, r.what | flags);
	__builtin_memcpy(r.slot->payload, fixed, fixed_size);
	*(__u16 *)(r.slot->payload + fixed_size - sizeof(__u16)) = len;
	read_some(r.slot->payload + fixed_size, len, room, src);
	if (len > room)
		write_more(&r, src + room, len - room);
	commit(&r);
}

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[TEXT_MAX]);
} lkst_string SEC(".maps");

/*
 * The same for a string whose length is not known; it is copied to learn it.
 * Only for events of task context: they share one buffer.
 */
static __always_inline void record_string(__u32 event, const void *fixed, __u32 fixed_size,
					  const char *src)
{
	__u32 zero = 0;
	char *copy = bpf_map_lookup_elem(&lkst_string, &zero);
	long size;

	if (!copy)
		return;
	size = bpf_probe_read_kernel_str(copy, TEXT_MAX, src);
	if (size > 0)
		record_text(event, fixed, fixed_size, src, size - 1);
}

/* Both words of a comm at once; it is aligned in every record. */
static __always_inline void copy_comm(lkst_comm to, const struct task_struct *task)
{
	const __u64 *from = (const __u64 *)task->comm;

	((__u64 *)to)[0] = from[0];
	((__u64 *)to)[1] = from[1];
}

static __always_inline void copy_name(lkst_name to, const struct net_device *dev)
{
	const __u64 *from = (const __u64 *)dev->name;

	((__u64 *)to)[0] = from[0];
	((__u64 *)to)[1] = from[1];
}

#endif
