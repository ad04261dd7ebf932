// SPDX-License-Identifier: GPL-2.0-or-later
/* How the recorder's pages are recognised: by what recorder/layout.h puts there. */
#include <string.h>

#include <linux/types.h>

#include "../recorder/layout.h"
#include "grab.h"

#define SLOTS (PAGE_SIZE / LKST_SLOT_SIZE)
#define WORDS (LKST_SLOT_SIZE / sizeof(uint64_t))

/* Of a tag the lowest 4 bits are the buffer's number. */
#define TAG_SHIFT (LKST_SEQ_BITS + 4)

bool is_header(const void *page, struct recorder *recorder)
{
	static const char magic[16] = LKST_MAGIC;
	struct lkst_header header;

	if (memcmp(page, magic, sizeof(magic)))
		return false;
	memcpy(&header, page, sizeof(header));
	if (header.abi_major != LKST_ABI_MAJOR || !header.tag || header.tag % LKST_MAX_BUFFERS ||
	    header.tag > UINT16_MAX || !header.nr_cpus)
		return false;
	recorder->tag = (uint16_t)header.tag;
	recorder->nr_cpus = header.nr_cpus;
	memcpy(recorder->boot_id, header.boot_id, sizeof(recorder->boot_id));
	return true;
}

bool is_ring_page(const uint64_t *page, const struct recorder *recorder)
{
	uint64_t tag = recorder->tag >> (TAG_SHIFT - LKST_SEQ_BITS);

	for (size_t i = 0; i < SLOTS; i++) {
		const uint64_t *slot = page + i * WORDS;

		/* While a record is being written, the tag is inverted. */
		if (slot[0] >> TAG_SHIFT != tag && ~slot[0] >> TAG_SHIFT != tag)
			continue;
		if ((slot[0] & LKST_SEQ_MASK) % SLOTS == i &&
		    (slot[1] >> LKST_CPU_SHIFT & 0xffff) < recorder->nr_cpus)
			return true;
	}
	return false;
}

/* Magics that are followed by the tag. */
static bool is_named(const char *at, const char *magic, uint16_t tag)
{
	uint32_t own;

	if (memcmp(at, magic, 8))
		return false;
	memcpy(&own, at + 8, sizeof(own));
	return own == tag;
}

bool is_named_page(const void *page, const struct recorder *recorder)
{
	struct recorder header;

	if (is_header(page, &header) && header.tag == recorder->tag)
		return true;
	if (is_named(page, LKST_CPU_MAGIC, recorder->tag) ||
	    is_named(page, LKST_COUNTS_MAGIC, recorder->tag) ||
	    is_named(page, LKST_CONTROL_MAGIC, recorder->tag))
		return true;
	for (size_t at = 0; at < PAGE_SIZE; at += LKST_ENTRY_SIZE)
		if (is_named((const char *)page + at, LKST_EVENT_MAGIC, recorder->tag))
			return true;
	return false;
}
