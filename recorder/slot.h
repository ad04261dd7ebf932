/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots of this CPU's ring: claim them, commit them.
 *
 * A claim is one atomic add. An interrupt or an NMI between claim and commit takes
 * the next slots, and nobody waits.
 *
 * Whoever reads the ring afterwards relies on the order of the stores. x86-64 keeps
 * stores in program order, so it is enough to keep the compiler from moving them.
 */
#ifndef LKST_SLOT_H
#define LKST_SLOT_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "kernel.h"
#include "layout.h"
#include "maps.h"

/* A record that is being written. The BPF stack is small: nothing here can be derived. */
struct record {
	struct lkst_slot *slot; /* the first slot: in the ring, or on the stack */
	void *ring;		/* the ring's map; NULL: lkst_ring */
	__u64 word;		/* the first slot's committed word */
	__u32 base;		/* index of the CPU's first slot */
	__u32 mask;		/* slots of the CPU's ring - 1 */
};

/* Return the slot with sequence number @seq; its upper bits may hold the tag. */
static __always_inline struct lkst_slot *slot_at(const struct record *r, __u64 seq)
{
	__u32 index = r->base + (seq & r->mask);

	if (r->ring) {
		struct lkst_slot *slot = bpf_map_lookup_elem(r->ring, &index);

		/*
		 * clang would merge both lookups into one, and the verifier would not know
		 * its map.
		 */
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

/* Return the word of a slot that is claimed and not yet committed. */
static __always_inline __u64 claimed(__u64 word)
{
	return word ^ ~LKST_SEQ_MASK;
}

/*
 * Return the id of the current thread. The kernel is asked each time: it does not report
 * every switch to the tracepoint, so a pid that sched_switch's program leaves for the
 * others can be wrong.
 */
static __always_inline __u32 current_pid(void)
{
	return bpf_get_current_task_btf()->pid;
}

/* Return the second word of a record of @nr slots on this CPU. */
static __always_inline __u64 what_of(__u32 event, __u32 nr, __u32 pid)
{
	return event | (__u64)bpf_get_smp_processor_id() << LKST_CPU_SHIFT |
	       (__u64)pid << LKST_PID_SHIFT | (__u64)nr << LKST_NR_SHIFT;
}

/*
 * Claim the slots of a record and fill in the first one's head. @what is the second word,
 * with the number of slots. @shared: more than one program writes this event.
 */
static __always_inline bool claim_slots(struct record *r, __u64 what, __u64 ts, bool shared)
{
	__u32 cpu = what >> LKST_CPU_SHIFT & 0xffff;
	__u32 nr = what >> LKST_NR_SHIFT & LKST_MAX_SLOTS;
	__u32 into = lkst_control.current_buffer % LKST_MAX_BUFFERS;
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
	if (into != lkst_control.first_buffer) {
		r->ring = bpf_map_lookup_elem(&lkst_buffers, &into);
		if (!r->ring)
			return false;
	}
	/*
	 * The kernel skips a program that this CPU is already running, preempted or
	 * interrupted. So an event with one program needs no atomic add.
	 */
	if (shared)
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

/* Claim the slots of an event that one program writes. */
static __always_inline bool claim(struct record *r, __u64 what, __u64 ts)
{
	return claim_slots(r, what, ts, false);
}

/* Commit a record: the first slot's word is written last. */
static __always_inline void commit(const struct record *r)
{
	barrier();
	set_word(&r->slot->commit, r->word);
}

/* Copy a name of 16 bytes. Names are aligned to 8 bytes in every record. */
static __always_inline void copy_16_bytes(void *to, const volatile void *from)
{
	const __u64 *words = (const __u64 *)from;

	((__u64 *)to)[0] = words[0];
	((__u64 *)to)[1] = words[1];
}

#endif
