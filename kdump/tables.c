// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The dead kernel's page tables: four or five levels of 512 entries, as in
 * arch/x86/include/asm/pgtable_types.h.
 */
#include <string.h>

#include "grab.h"

#define PRESENT (1ULL << 0)
#define WRITABLE (1ULL << 1)
#define LARGE (1ULL << 7)
#define NOT_EXECUTABLE (1ULL << 63)
#define ADDRESS_MASK 0x000ffffffffff000ULL

/* Where the kernel's image is mapped: __START_KERNEL_map. */
#define IMAGE_MAP 0xffffffff80000000ULL

struct walk {
	uint64_t first;
	uint64_t last;
	uint64_t encryption; /* bits of an entry that are no address */
	on_mapping *each;
};

static void walk_table(const struct walk *walk, uint64_t table, uint64_t base, int level,
		       bool writable, bool executable)
{
	unsigned int shift = 12 + 9 * (unsigned int)(level - 1);
	uint64_t span = 1ULL << shift;
	uint64_t entries[512];
	const void *page = look(table, PAGE_SIZE);

	if (!page)
		return;
	memcpy(entries, page, sizeof(entries));
	take(&kernel_plan, table, PAGE_SIZE);
	for (uint64_t i = 0; i < 512; i++) {
		uint64_t address = base + i * span, entry = entries[i];
		uint64_t physical = entry & ADDRESS_MASK & ~walk->encryption;
		bool write = writable && (entry & WRITABLE);
		bool execute = executable && !(entry & NOT_EXECUTABLE);

		if (!(entry & PRESENT) || address + (span - 1) < walk->first ||
		    address > walk->last)
			continue;
		if (level > 1 && !(entry & LARGE)) {
			walk_table(walk, physical, address, level - 1, write, execute);
		} else if (level <= 3) {
			uint64_t from = walk->first > address ? walk->first - address : 0;
			uint64_t to =
				walk->last - address < span - 1 ? walk->last - address : span - 1;

			/* Bit 12 of a large page's entry is no address. */
			physical &= ~(span - 1);
			walk->each(physical + from, to - from + 1, write, execute);
		}
	}
}

bool walk(uint64_t address, uint64_t size, on_mapping *each)
{
	struct walk walk = {address, address + (size - 1), 0, each};
	uint64_t tables, physical_base, five_levels = 0;
	int level;

	if (!size || walk.last < address)
		return false;
	if (!vmcoreinfo_number("SYMBOL(swapper_pg_dir)=", 16, &tables) &&
	    !vmcoreinfo_number("SYMBOL(init_top_pgt)=", 16, &tables))
		return false;
	if (!vmcoreinfo_number("NUMBER(phys_base)=", 10, &physical_base))
		return false;
	vmcoreinfo_number("NUMBER(pgtable_l5_enabled)=", 10, &five_levels);
	vmcoreinfo_number("NUMBER(sme_mask)=", 10, &walk.encryption);
	level = five_levels ? 5 : 4;
	/* The first entry's address, as the processor extends its sign; the sum wraps. */
	walk_table(&walk, tables - IMAGE_MAP + physical_base,
		   address >> 63 ? ~0ULL << (12 + 9 * level) : 0, level, true, true);
	return true;
}

static void take_mapping(uint64_t physical, uint64_t size, bool writable, bool executable)
{
	(void)writable;
	(void)executable;
	take(&kernel_plan, physical, size);
}

void take_virtual(uint64_t address, uint64_t size)
{
	walk(address, size, take_mapping);
}

/* What read_virtual() has found so far. */
static struct {
	uint8_t *to;
	size_t left;
	bool good;
} reading;

static void copy_mapping(uint64_t physical, uint64_t size, bool writable, bool executable)
{
	(void)writable;
	(void)executable;
	while (size && reading.good) {
		uint64_t part = PAGE_SIZE - physical % PAGE_SIZE;
		const void *from;

		part = part < size ? part : size;
		from = part <= reading.left ? look(physical, part) : NULL;
		if (!from) {
			reading.good = false;
			return;
		}
		memcpy(reading.to, from, part);
		reading.to += part;
		reading.left -= part;
		physical += part;
		size -= part;
	}
}

bool read_virtual(uint64_t address, void *to, size_t size)
{
	reading.to = to;
	reading.left = size;
	reading.good = true;
	return walk(address, size, copy_mapping) && reading.good && !reading.left;
}
