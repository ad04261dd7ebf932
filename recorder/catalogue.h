/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The events as the programs and users' handlers know them: structs of their fields, ids. */
#ifndef LKST_CATALOGUE_H
#define LKST_CATALOGUE_H

#include "layout.h"
#include "types.h"

#define FIELD(type, name, unit) lkst_##type name;
#define EVENT(name, category, old, hook, by_default, description, fields)                          \
	struct lkst_##name {                                                                       \
		fields                                                                             \
	} __attribute__((packed, aligned(8)));                                                     \
	_Static_assert(sizeof(struct lkst_##name) <= LKST_PAYLOAD_SIZE, #name);
#include "events.h"
#undef EVENT
#undef FIELD

enum {
	EV_continuation, /* not an event: a further slot of a long record */
#define EVENT(name, ...) EV_##name,
#include "events.h"
#undef EVENT
	LKST_NR_EVENTS,
};
_Static_assert(LKST_NR_EVENTS + LKST_MAX_PROBES <= LKST_MAX_EVENTS, "too many events");

/*
 * The catalogue in kernel memory. No program writes it: the loader fills in the header's
 * zeros, and the control side adds the entries of probes.
 */
struct lkst_catalogue {
	struct lkst_header header;
	struct lkst_event events[LKST_NR_EVENTS - 1 + LKST_MAX_PROBES];
};

extern struct lkst_catalogue lkst_catalogue;

#endif
