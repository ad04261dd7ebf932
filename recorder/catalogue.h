/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The events as the programs know them: their ids, and what lies in a record. */
#ifndef LKST_CATALOGUE_H
#define LKST_CATALOGUE_H

#include "layout.h"
#include "types.h"

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
_Static_assert(NR_EVENTS + LKST_MAX_PROBES <= LKST_MAX_EVENTS, "too many events");

#endif
