// SPDX-License-Identifier: GPL-2.0-or-later
/* Which pages go into the grab. */
#include <stdlib.h>
#include <string.h>

#include "grab.h"

struct plan recorder_plan, kernel_plan;

void take(struct plan *plan, uint64_t physical, uint64_t size)
{
	uint64_t end = physical + size;
	struct run *last;

	if (!size || end < physical || end > UINT64_MAX - PAGE_SIZE)
		return;
	physical = PAGE_OF(physical);
	end = PAGE_OF(end + PAGE_SIZE - 1);
	last = plan->nr_runs ? &plan->runs[plan->nr_runs - 1] : NULL;
	if (last && physical >= last->physical && physical <= last->physical + last->size) {
		if (end > last->physical + last->size)
			last->size = end - last->physical;
		return;
	}
	if (plan->nr_runs == plan->room) {
		size_t room = plan->room ? 2 * plan->room : 1024;
		struct run *grown = realloc(plan->runs, room * sizeof(*grown));

		/* What finds no room is missing in the grab, which tells. */
		if (!grown)
			return;
		plan->runs = grown;
		plan->room = room;
	}
	plan->runs[plan->nr_runs++] = (struct run){physical, end - physical};
}

static int by_address(const void *one, const void *other)
{
	uint64_t a = ((const struct run *)one)->physical;
	uint64_t b = ((const struct run *)other)->physical;

	return a < b ? -1 : a > b;
}

static void merge(struct plan *plan)
{
	size_t kept = 0;

	if (!plan->nr_runs)
		return;
	qsort(plan->runs, plan->nr_runs, sizeof(*plan->runs), by_address);
	for (size_t i = 1; i < plan->nr_runs; i++) {
		struct run *last = &plan->runs[kept], *run = &plan->runs[i];
		uint64_t end = run->physical + run->size;

		if (run->physical > last->physical + last->size)
			plan->runs[++kept] = *run;
		else if (end > last->physical + last->size)
			last->size = end - last->physical;
	}
	plan->nr_runs = kept + 1;
}

void settle(struct plan *plan)
{
	struct plan there = {0};

	merge(plan);
	for (size_t i = 0; i < plan->nr_runs; i++) {
		struct run *run = &plan->runs[i];

		for (uint64_t at = 0; at < run->size; at += PAGE_SIZE)
			if (look(run->physical + at, PAGE_SIZE))
				take(&there, run->physical + at, PAGE_SIZE);
	}
	free(plan->runs);
	*plan = there;
}
