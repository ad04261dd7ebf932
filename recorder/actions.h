/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What triggers and handlers can do: each is safe wherever an event can happen. */
#ifndef LKST_ACTIONS_H
#define LKST_ACTIONS_H

#include "maps.h"

#define LKST_NO_LIMIT (~0ULL)

/* More CPUs than a kernel can have; the loop ends where the map does. */
#define LKST_ALL_CPUS 8192

/*
 * Make room for a notice. bpf_ringbuf_reserve() takes a spin lock, and the tracepoint
 * contention_end fires while that is held: a program that told something from there would wait
 * for ever for a lock that its own CPU has. Later kernels find that out, but wait long.
 */
static __always_inline struct lkst_notice *lkst_new_notice(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct lkst_cpu *c = bpf_map_lookup_elem(&lkst_cpus, &cpu);
	struct lkst_notice *notice;

	if (!c || __sync_val_compare_and_swap(&c->telling, 0, 1))
		return NULL;
	notice = bpf_ringbuf_reserve(&lkst_notices, sizeof(*notice), 0);
	*(volatile __u32 *)&c->telling = 0;
	return notice;
}

/* Tell user space. Nothing waits for a reader; what finds no room is counted. */
static __always_inline void lkst_notify(__u32 trigger, __u32 actions, const struct lkst_slot *slot)
{
	struct lkst_notice *notice = lkst_new_notice();

	if (!notice) {
		__sync_fetch_and_add(&lkst_control.unheard, 1);
		return;
	}
	notice->trigger = trigger;
	notice->actions = actions;
	notice->record = *slot;
	bpf_ringbuf_submit(notice, 0);
}

/* Make another maskset the active one, for @ns or, with 0, for good. */
static __always_inline void lkst_use_maskset(__u32 maskset, __u64 ns)
{
	if (!ns)
		lkst_control.base = maskset;
	else if (!lkst_control.until)
		lkst_control.base = lkst_control.active;
	lkst_control.until = ns ? bpf_ktime_get_ns() + ns : 0;
	lkst_control.active = maskset;
}

struct lkst_freezing {
	__u32 buffer;
	__u64 slots;
};

static long lkst_freeze_ring(__u32 index, void *data)
{
	const struct lkst_freezing *freezing = data;
	struct lkst_cpu *cpu = bpf_map_lookup_elem(&lkst_cpus, &index);
	struct lkst_place *place;

	if (!cpu)
		return 1;
	place = &cpu->place[freezing->buffer % LKST_MAX_BUFFERS];
	if (place->limit == LKST_NO_LIMIT)
		place->limit = place->head + freezing->slots;
	return 0;
}

/* Let each ring of the buffer that is written take @slots more, and then nothing. */
static __always_inline void lkst_freeze(__u64 slots)
{
	struct lkst_freezing freezing = {.buffer = lkst_control.into, .slots = slots};

	bpf_loop(LKST_ALL_CPUS, lkst_freeze_ring, &freezing, 0);
}

static long lkst_try_buffer(__u32 index, void *data)
{
	volatile struct lkst_buffer *buffer = &lkst_control.buffer[index % LKST_MAX_BUFFERS];

	if (__sync_val_compare_and_swap(&buffer->state, LKST_SPARE, LKST_WRITTEN) != LKST_SPARE)
		return 0;
	*(__u32 *)data = index;
	return 1;
}

/* Go on in a spare buffer; the one that was written stays as it is. */
static __always_inline void lkst_switch_buffer(void)
{
	__u32 found = LKST_MAX_BUFFERS;

	bpf_loop(LKST_MAX_BUFFERS, lkst_try_buffer, &found, 0);
	if (found < LKST_MAX_BUFFERS)
		lkst_control.into = found;
	else
		__sync_fetch_and_add(&lkst_control.no_spare, 1);
}

#endif
