// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding recorders in all of physical memory, page by page. */
#include <stdlib.h>
#include <string.h>

#include "grab.h"

/* Those that were stopped may still lie there. */
#define MAX_RECORDERS 8

static struct recorder recorders[MAX_RECORDERS];
static size_t nr_recorders;

static size_t nr_rings;

static uint64_t vmcoreinfo_at;

static void find_header(uint64_t physical, const void *page)
{
	struct recorder found;

	(void)physical;
	if (!is_header(page, &found) || nr_recorders == MAX_RECORDERS)
		return;
	for (size_t i = 0; i < nr_recorders; i++)
		if (recorders[i].tag == found.tag)
			return;
	recorders[nr_recorders++] = found;
}

static void find_page(uint64_t physical, const void *page)
{
	for (size_t i = 0; i < nr_recorders; i++) {
		if (is_ring_page(page, &recorders[i]) || is_named_page(page, &recorders[i])) {
			take(&recorder_plan, physical, PAGE_SIZE);
			nr_rings += is_ring_page(page, &recorders[i]);
			return;
		}
	}
}

static void each_page(void (*each)(uint64_t physical, const void *page))
{
	uint64_t done = 0;

	for (size_t i = 0; i < memory.nr_stretches; i++) {
		const struct stretch *stretch = &memory.stretches[i];
		uint64_t end = stretch->physical + stretch->size;
		uint64_t page = PAGE_OF(stretch->physical + PAGE_SIZE - 1);

		/* Stretches that overlap are looked at once. */
		if (page < done)
			page = done;
		for (; page < end && end - page >= PAGE_SIZE; page += PAGE_SIZE) {
			const void *data = look(page, PAGE_SIZE);

			if (data)
				each(page, data);
		}
		if (page > done)
			done = page;
	}
}

size_t take_scanned(void)
{
	each_page(find_header);
	if (nr_recorders)
		each_page(find_page);
	return nr_rings;
}

/* The kernel keeps the text at the start of a page (kernel/vmcore_info.c). */
static void find_vmcoreinfo(uint64_t physical, const void *page)
{
	static const char begin[] = "OSRELEASE=", crashed[] = "\nCRASHTIME=";
	char *text, *before = memory.vmcoreinfo;

	if (memcmp(page, begin, sizeof(begin) - 1) || !memchr(page, 0, PAGE_SIZE))
		return;
	text = strdup(page);
	if (!text)
		return;
	memory.vmcoreinfo = text;
	/* That of a kernel that crashed is not given up for another. */
	if (kernel_fits() && (!before || (!strstr(before, crashed) && strstr(text, crashed)))) {
		vmcoreinfo_at = physical;
		free(before);
		return;
	}
	memory.vmcoreinfo = before;
	free(text);
}

uint64_t guess_vmcoreinfo(void)
{
	each_page(find_vmcoreinfo);
	return vmcoreinfo_at;
}
