/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What triggers and users' handlers can do. Each is safe in any context. */
#ifndef LKST_ACTIONS_H
#define LKST_ACTIONS_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"
#include "maps.h"

/* The limit of a ring that is not frozen. */
#define LKST_NO_LIMIT (~0ULL)

/* More CPUs than a kernel can have; the loop ends where the map does. */
#define LKST_ALL_CPUS 8192

/*
 * Reserve room for a notice. bpf_ringbuf_reserve() takes a spin lock, and the tracepoint
 * contention_end fires while it holds the lock. A program there that reserves as well would
 * wait forever for the lock that its own CPU holds. Later kernels detect that, after a long
 * wait.
 */
static __always_inline struct lkst_notice *lkst_new_notice(void)
{
	struct lkst_cpu *c = lkst_this_cpu();
	struct lkst_notice *notice;

	if (!c || __sync_val_compare_and_swap(&c->in_reserve, 0, 1))
		return NULL;
	notice = bpf_ringbuf_reserve(&lkst_notices, sizeof(*notice), 0);
	*(volatile __u32 *)&c->in_reserve = 0;
	return notice;
}

/* Send a notice to user space, or count it as lost if there is no room. */
static __always_inline void lkst_notify(__u32 trigger, __u32 actions, const struct lkst_slot *slot)
{
	struct lkst_notice *notice = lkst_new_notice();

	if (!notice) {
		__sync_fetch_and_add(&lkst_control.lost_notices, 1);
		return;
	}
	notice->trigger = trigger;
	notice->actions = actions;
	notice->record = *slot;
	bpf_ringbuf_submit(notice, 0);
}

/* Make @maskset the active one, for @ns or, with 0, for good. */
static __always_inline void lkst_use_maskset(__u32 maskset, __u64 ns)
{
	if (!ns)
		lkst_control.base_maskset = maskset;
	else if (!lkst_control.active_until)
		lkst_control.base_maskset = lkst_control.active_maskset;
	lkst_control.active_until = ns ? bpf_ktime_get_ns() + ns : 0;
	lkst_control.active_maskset = maskset;
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

/* Freeze each ring of the current buffer after @slots more slots. */
static __always_inline void lkst_freeze(__u64 slots)
{
	struct lkst_freezing freezing = {.buffer = lkst_control.current_buffer, .slots = slots};

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

/* Go on in a spare buffer. The current one stays as it is. */
static __always_inline void lkst_switch_buffer(void)
{
	__u32 found = LKST_MAX_BUFFERS;

	bpf_loop(LKST_MAX_BUFFERS, lkst_try_buffer, &found, 0);
	if (found < LKST_MAX_BUFFERS)
		lkst_control.current_buffer = found;
	else
		__sync_fetch_and_add(&lkst_control.failed_switches, 1);
}

#endif
