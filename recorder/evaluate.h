/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do with an event that is not simply recorded: filters, counters, users'
 * handlers, conditions of triggers.
 *
 * The event lies in a slot on the stack. lkst_evaluate() decides; then the event is
 * recorded, or not; then lkst_run_triggers() runs the triggers' actions. So the record
 * that fires a trigger is in the ring before the trigger freezes the ring.
 *
 * Both are global functions: the verifier checks each once for a program, and not once
 * for each path that calls it.
 */
#ifndef LKST_EVALUATE_H
#define LKST_EVALUATE_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "catalogue.h"
#include "kernel.h"
#include "layout.h"
#include "maps.h"
#include "types.h"

/* The result of lkst_evaluate(). */
#define VERDICT_KEEP 1ULL
#define VERDICT_STACK 2ULL
#define VERDICT_FIRE_SHIFT 32 /* triggers, one bit for each */

/* Return what the active maskset says of @event: enum lkst_handler, with LKST_EVALUATE. */
static __always_inline __u32 handler_of(__u32 event)
{
	return lkst_control.handler[lkst_control.active_maskset % LKST_MAX_MASKSETS][event];
}

static __always_inline bool wanted(__u32 event)
{
	return handler_of(event) != LKST_OFF;
}

#define PAYLOAD_WORDS (LKST_PAYLOAD_SIZE / 8)

/* A user's handler replaces one of these (handler.h). Its result is in slot->commit. */
#define USER_HANDLER(n)                                                                            \
	__noinline int lkst_user_##n(struct lkst_slot *slot)                                       \
	{                                                                                          \
		asm volatile("" : : "r"(slot), "i"(n));                                            \
		return 0;                                                                          \
	}

USER_HANDLER(0)
USER_HANDLER(1)
USER_HANDLER(2)
USER_HANDLER(3)

static __always_inline __u64 payload_word(const struct lkst_slot *slot, __u32 word)
{
	/* clang would test the offset in bytes, from which the verifier cannot infer the bound. */
	asm volatile("" : "+r"(word));
	return word < PAYLOAD_WORDS ? ((const __u64 *)slot->payload)[word] : 0;
}

/* Return the @size bytes at @offset of the payload. They do not cross a word. */
static __always_inline __u64 payload_value(const struct lkst_slot *slot, __u32 offset, __u32 size,
					   bool is_signed)
{
	__u32 word = offset / 8, unused = 64 - 8 * size;
	__u64 value;

	if (size < 1 || size > 8)
		return 0;
	value = payload_word(slot, word) >> offset % 8 * 8 << unused;
	return is_signed ? (__u64)((__s64)value >> unused) : value >> unused;
}

/* Return whether the maskset follows the thread. */
static __always_inline bool is_followed(__u32 pid, __u32 maskset)
{
	__u32 *masksets = bpf_map_lookup_elem(&lkst_followed, &pid);

	return masksets && *masksets & 1U << maskset;
}

/* Return whether the maskset follows the current thread, or the one that the event is about. */
static __always_inline bool passes_pid(const struct lkst_slot *slot, __u32 maskset)
{
	__u32 offset = lkst_control.subject_offset[lkst_event_of(slot)];

	if (is_followed(lkst_pid_of(slot), maskset))
		return true;
	return offset < LKST_PAYLOAD_SIZE &&
	       is_followed(payload_value(slot, offset, 4, false), maskset);
}

/* Return a mask for word @word (0 or 1) of a name, of which the first @size bytes count. */
static __always_inline __u64 prefix_mask(__u32 size, __u32 word)
{
	__u32 bytes = size > 8 * word ? size - 8 * word : 0;

	return bytes >= 8 ? ~0ULL : (1ULL << 8 * bytes) - 1;
}

static __always_inline bool passes_comm(volatile struct lkst_filter *filter)
{
	const __u64 *comm = (const __u64 *)bpf_get_current_task_btf()->comm;
	__u32 i;

	for (i = 0; i < LKST_MAX_PATTERNS; i++) {
		volatile struct lkst_pattern *pattern = &filter->comm[i];
		volatile __u64 *words = (volatile __u64 *)pattern->comm;
		__u32 size = pattern->size;

		if (size && !((comm[0] ^ words[0]) & prefix_mask(size, 0)) &&
		    !((comm[1] ^ words[1]) & prefix_mask(size, 1)))
			return true;
	}
	return false;
}

static __always_inline bool passes_cgroup(volatile struct lkst_filter *filter)
{
	__u32 i;

	for (i = 0; i < LKST_MAX_PATTERNS; i++) {
		volatile struct lkst_cgroup *cgroup = &filter->cgroup[i];

		if (cgroup->used && bpf_get_current_ancestor_cgroup_id(cgroup->level) == cgroup->id)
			return true;
	}
	return false;
}

/* Return whether the maskset's filter lets the event through. */
static __always_inline bool passes(const struct lkst_slot *slot, __u32 maskset)
{
	volatile struct lkst_filter *filter = &lkst_control.filter[maskset];
	__u32 flags = filter->flags;

	if (flags & LKST_BY_CPU) {
		__u32 cpu = lkst_cpu_of(slot);

		if (cpu >= LKST_FILTER_CPUS ||
		    !(filter->cpus[cpu / 64 % (LKST_FILTER_CPUS / 64)] & 1ULL << cpu % 64))
			return false;
	}
	if (flags & LKST_BY_COMM && !passes_comm(filter))
		return false;
	if (flags & LKST_BY_CGROUP && !passes_cgroup(filter))
		return false;
	return !(flags & LKST_BY_PID) || passes_pid(slot, maskset);
}

static __always_inline struct lkst_counts *my_counts(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&lkst_counts, &cpu);
}

/* Count an event. */
static __always_inline void count(__u32 event)
{
	struct lkst_counts *counts = my_counts();

	if (counts)
		__sync_fetch_and_add(&counts->counted[event], 1);
}

/*
 * Return the number of significant bits: set all bits below the highest one, then count
 * the bits. There is no branch, since the verifier would check both ways of each.
 */
static __always_inline __u32 bit_length(__u64 value)
{
	value |= value >> 1;
	value |= value >> 2;
	value |= value >> 4;
	value |= value >> 8;
	value |= value >> 16;
	value |= value >> 32;
	value -= value >> 1 & 0x5555555555555555;
	value = (value & 0x3333333333333333) + (value >> 2 & 0x3333333333333333);
	value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return value * 0x0101010101010101 >> 56;
}

/* Count an event, and its field's value in histogram @which. */
static __always_inline void count_value(const struct lkst_slot *slot, __u32 which)
{
	struct lkst_counts *counts = my_counts();
	volatile struct lkst_hist *hist;
	__u64 value;

	which %= LKST_MAX_HISTS;
	hist = &lkst_control.hist[which];
	if (!counts)
		return;
	value = payload_value(slot, hist->offset, hist->size, hist->is_signed);
	if (hist->is_signed && (__s64)value < 0)
		value = 0;
	__sync_fetch_and_add(&counts->sum[which], value);
	__sync_fetch_and_add(&counts->bucket[which][bit_length(value) % LKST_BUCKETS], 1);
	__sync_fetch_and_add(&counts->counted[lkst_event_of(slot)], 1);
}

/* How a value and a limit can compare; what of it each operator accepts. */
#define BELOW 1
#define EQUAL 2
#define ABOVE 4
#define COMMON 8 /* they have a set bit in common */
#define DISJOINT 16

#define ACCEPTS(op, how) ((__u64)(how) << 8 * (op))
#define ACCEPTED                                                                                   \
	(ACCEPTS(LKST_EQ, EQUAL) | ACCEPTS(LKST_NE, BELOW | ABOVE) | ACCEPTS(LKST_LT, BELOW) |     \
	 ACCEPTS(LKST_LE, BELOW | EQUAL) | ACCEPTS(LKST_GT, ABOVE) |                               \
	 ACCEPTS(LKST_GE, ABOVE | EQUAL) | ACCEPTS(LKST_AND, COMMON) |                             \
	 ACCEPTS(LKST_NAND, DISJOINT))

/* Return whether a term holds. Global as lkst_evaluate() is: a condition has many terms. */
__noinline int lkst_term_holds(struct lkst_slot *slot, struct lkst_term *term)
{
	__u64 value, limit;
	__u32 op, how;

	if (!slot || !term)
		return 0;
	op = term->op % 8;
	limit = term->value[0];
	if (term->size == sizeof(lkst_comm)) {
		__u32 word = term->offset / 8;
		__u64 other = (payload_word(slot, word) ^ limit) |
			      (payload_word(slot, word + 1) ^ term->value[1]);

		return other ? op == LKST_NE : op == LKST_EQ;
	}
	value = payload_value(slot, term->offset, term->size, term->is_signed);
	how = value & limit ? COMMON : DISJOINT;
	/* Signed values with their sign bit flipped are in the order of unsigned ones. */
	value ^= (__u64)(term->is_signed & 1) << 63;
	limit ^= (__u64)(term->is_signed & 1) << 63;
	how |= value < limit ? BELOW : value > limit ? ABOVE : EQUAL;
	return ACCEPTED >> 8 * op & how;
}

/* Return whether a trigger may fire: its interval since the last firing has passed. */
static __always_inline bool may_fire(volatile struct lkst_trigger *trigger,
				     const struct lkst_slot *slot)
{
	__u64 last = trigger->last;

	/* A heartbeat that stopped fires once, not as long as it is missing. */
	if (last &&
	    (slot->ts - last < trigger->interval ||
	     (lkst_event_of(slot) == EV_heartbeat_age && last > lkst_control.last_heartbeat))) {
		__sync_fetch_and_add(&trigger->held, 1);
		return false;
	}
	if (__sync_val_compare_and_swap(&trigger->last, last, slot->ts) != last)
		return false;
	__sync_fetch_and_add(&trigger->fired, 1);
	return true;
}

/* The event, the verdict so far, and where the event's clauses are. */
struct clause_evaluation {
	struct lkst_slot *slot;
	__u64 verdict;
	__u32 table;
	__u32 first;
};

static long evaluate_clause(__u32 index, void *data)
{
	struct clause_evaluation *evaluation = data;
	volatile struct lkst_clause *clause;
	volatile struct lkst_trigger *trigger;
	__u32 i, which;

	clause = &lkst_control.rules[evaluation->table % 2]
			  .clause[(evaluation->first + index) % LKST_MAX_CLAUSES];
	for (i = 0; i < LKST_MAX_TERMS; i++) {
		if (i >= clause->nr_terms)
			break;
		if (!lkst_term_holds(evaluation->slot, (struct lkst_term *)&clause->term[i]))
			return 0;
	}
	which = clause->trigger % LKST_MAX_TRIGGERS;
	trigger = &lkst_control.trigger[which];
	if (evaluation->verdict & 1ULL << (VERDICT_FIRE_SHIFT + which))
		return 0;
	if (trigger->used == LKST_ON && may_fire(trigger, evaluation->slot)) {
		evaluation->verdict |= VERDICT_KEEP | 1ULL << (VERDICT_FIRE_SHIFT + which);
		if (trigger->actions & LKST_DO_STACK)
			evaluation->verdict |= VERDICT_STACK;
	}
	return 0;
}

/* Return the verdict of the triggers: which fire, and whether to keep the event for them. */
static __always_inline __u64 evaluate_triggers(struct lkst_slot *slot)
{
	__u32 event = lkst_event_of(slot), table = lkst_control.active_rules % 2;
	struct clause_evaluation evaluation = {.slot = slot, .table = table};

	evaluation.first = lkst_control.rules[table].first[event];
	bpf_loop(lkst_control.rules[table].nr[event], evaluate_clause, &evaluation, 0);
	return evaluation.verdict;
}

static __always_inline __u64 run_user_handler(struct lkst_slot *slot, __u32 which)
{
	slot->commit = LKST_KEEP;
	switch (which) {
	case 0:
		lkst_user_0(slot);
		break;
	case 1:
		lkst_user_1(slot);
		break;
	case 2:
		lkst_user_2(slot);
		break;
	case 3:
		lkst_user_3(slot);
		break;
	}
	switch (slot->commit) {
	case LKST_KEEP:
		return VERDICT_KEEP;
	case LKST_KEEP_STACK:
		return VERDICT_KEEP | VERDICT_STACK;
	}
	return 0;
}

/* Decide about an event: return VERDICT_*, and the triggers that it fires. */
__noinline __u64 lkst_evaluate(struct lkst_slot *slot)
{
	__u32 maskset = lkst_control.active_maskset % LKST_MAX_MASKSETS;
	__u64 verdict = 0;
	__u32 event, handler;

	if (!slot)
		return 0;
	event = lkst_event_of(slot);
	handler = lkst_control.handler[maskset][event];
	if (handler & LKST_EVALUATE)
		verdict = evaluate_triggers(slot);
	if (!(handler & LKST_HANDLER_MASK) || !passes(slot, maskset))
		return verdict;
	switch (handler & LKST_HANDLER_MASK) {
	case LKST_RECORD:
		return verdict | VERDICT_KEEP;
	case LKST_STACK:
		return verdict | VERDICT_KEEP | VERDICT_STACK;
	case LKST_COUNT:
		count(event);
		return verdict;
	case LKST_HIST:
		count_value(slot, lkst_control.handler_argument[maskset][event]);
		return verdict;
	}
	return verdict | run_user_handler(slot, (handler & LKST_HANDLER_MASK) - LKST_USER);
}

#endif
