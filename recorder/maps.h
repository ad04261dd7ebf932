/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recorder's maps, which all of its programs and users' handlers share. */
#ifndef LKST_MAPS_H
#define LKST_MAPS_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"

/* The rings of a further buffer, one CPU after the other. The control side makes them. */
struct ring_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct lkst_slot));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, LKST_MAX_BUFFERS);
	__type(key, __u32);
	__array(values, struct ring_map);
} lkst_buffers SEC(".maps");

/*
 * The rings of the first buffer, which is written most of the time. It is not an entry of
 * lkst_buffers: the kernel turns a lookup in a map that it knows into a few instructions,
 * and a lookup in an inner map into a call.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkst_slot);
} lkst_ring SEC(".maps");

/* The loader sets the number of entries of these two: one for each possible CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkst_cpu);
} lkst_cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkst_counts);
} lkst_counts SEC(".maps");

/* struct lkst_notice, one after the other. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} lkst_notices SEC(".maps");

/* Thread id -> masksets that follow it, one bit for each. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} lkst_followed SEC(".maps");

volatile struct lkst_control lkst_control SEC(".data.lkst");

/* What a user's handler returns. */
enum lkst_user_verdict {
	LKST_KEEP,
	LKST_DROP,
	LKST_KEEP_STACK, /* with the kernel's stack */
};

/* Return this CPU's entry of lkst_cpus. */
static __always_inline struct lkst_cpu *lkst_this_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&lkst_cpus, &cpu);
}

/* The parts of a slot's second word. */
static __always_inline __u32 lkst_event_of(const struct lkst_slot *slot)
{
	return slot->what & (LKST_MAX_EVENTS - 1);
}

static __always_inline __u32 lkst_pid_of(const struct lkst_slot *slot)
{
	return slot->what >> LKST_PID_SHIFT & LKST_PID_MASK;
}

static __always_inline __u32 lkst_cpu_of(const struct lkst_slot *slot)
{
	return slot->what >> LKST_CPU_SHIFT & 0xffff;
}

#endif
