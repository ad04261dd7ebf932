/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The catalogue as it lies in kernel memory. The loader fills in the header's
 * zeros before the map is frozen.
 */
#ifndef LKST_CATALOGUE_H
#define LKST_CATALOGUE_H

#include "layout.h"
#include "types.h"
#include <bpf/bpf_helpers.h>

#define PAYLOAD_SIZE sizeof(((struct lkst_slot *)0)->payload)

#define FIELD(type, name, unit) lkst_##type name;
#define EVENT(name, category, old, hook, by_default, description, fields)                          \
	struct lkst_##name {                                                                       \
		fields                                                                             \
	} __attribute__((packed, aligned(8)));                                                     \
	_Static_assert(sizeof(struct lkst_##name) <= PAYLOAD_SIZE, #name);
#include "events.h"
#undef EVENT
#undef FIELD

enum {
	EV_more, /* not an event: further slots of a long record */
#define EVENT(name, ...) EV_##name,
#include "events.h"
#undef EVENT
	NR_EVENTS,
};
_Static_assert(NR_EVENTS <= LKST_MAX_EVENTS, "too many events");

struct lkst_catalogue {
	struct lkst_header header;
	struct lkst_event events[NR_EVENTS - 1];
};

const volatile struct lkst_catalogue lkst_catalogue SEC(".rodata.lkst") = {
	.header =
		{
			.magic = LKST_MAGIC,
			.abi_major = LKST_ABI_MAJOR,
			.abi_minor = LKST_ABI_MINOR,
			.header_size = sizeof(struct lkst_header),
			.event_size = sizeof(struct lkst_event),
			.field_size = sizeof(struct lkst_field),
			.nr_events = NR_EVENTS - 1,
			.slot_size = LKST_SLOT_SIZE,
			.cpu_size = sizeof(struct lkst_cpu),
			.control_size = sizeof(struct lkst_control),
			.max_events = LKST_MAX_EVENTS,
			.max_masksets = LKST_MAX_MASKSETS,
			.counts_size = sizeof(struct lkst_counts),
		},
	.events =
		{
#define FIELD(t, n, u) {.name = #n, .type = #t, .unit = u, .size = sizeof(lkst_##t)},
#define EVENT(n, c, o, h, d, text, f)                                                              \
	{                                                                                          \
		.magic = LKST_EVENT_MAGIC,                                                         \
		.id = EV_##n,                                                                      \
		.by_default = d,                                                                   \
		.name = #n,                                                                        \
		.category = #c,                                                                    \
		.old_name = o,                                                                     \
		.hook = h,                                                                         \
		.description = text,                                                               \
		.fields = {f},                                                                     \
	},
#include "events.h"
#undef EVENT
#undef FIELD
		},
};

#endif
