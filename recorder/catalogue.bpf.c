// SPDX-License-Identifier: GPL-2.0-or-later
/* The catalogue: the header, and an entry for each event of events.h. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "catalogue.h"

struct lkst_catalogue lkst_catalogue SEC(".data.catalogue") = {
	.header =
		{
			.magic = LKST_MAGIC,
			.abi_major = LKST_ABI_MAJOR,
			.abi_minor = LKST_ABI_MINOR,
			.header_size = sizeof(struct lkst_header),
			.event_size = sizeof(struct lkst_event),
			.field_size = sizeof(struct lkst_field),
			.nr_events = LKST_NR_EVENTS - 1,
			.slot_size = LKST_SLOT_SIZE,
			.cpu_size = sizeof(struct lkst_cpu),
			.control_size = sizeof(struct lkst_control),
			.max_events = LKST_MAX_EVENTS,
			.max_masksets = LKST_MAX_MASKSETS,
			.counts_size = sizeof(struct lkst_counts),
			.nr_probes = LKST_MAX_PROBES,
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
