// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What crash knows about what it has open. See PROTOCOL.md.
 */
#define _GNU_SOURCE
#include <defs.h>

#include <elf.h>

#include "lkst.h"

#define MAX_VMCOREINFO 65536

static bool read_virtual(ulong address, void *data, long size)
{
	return readmem(address, KVADDR, data, size, "vmcoreinfo", RETURN_ON_ERROR | QUIET);
}

static bool read_variable(const char *name, void *data, long size)
{
	return symbol_exists((char *)name) && read_virtual(symbol_value((char *)name), data, size);
}

static char *read_text(ulong address, ulong size)
{
	char *text;

	if (size == 0 || size > MAX_VMCOREINFO)
		return NULL;
	text = calloc(1, size + 1);
	if (text && !read_virtual(address, text, size)) {
		free(text);
		text = NULL;
	}
	return text;
}

/*
 * kernel/crash_core.c, or vmcore_info.c: the note is what was written at the panic. The
 * text that it is made from lies elsewhere after a panic with a crash kernel loaded:
 * where that kernel runs (vmcoreinfo_data_safecopy), which is in no dump.
 */
static char *read_vmcoreinfo(void)
{
	ulong address, size;
	Elf64_Nhdr note;
	char *text = NULL;

	if (read_variable("vmcoreinfo_note", &address, sizeof(address)) &&
	    read_virtual(address, &note, sizeof(note)) && note.n_namesz <= MAX_VMCOREINFO)
		text = read_text(address + sizeof(note) + roundup(note.n_namesz, 4), note.n_descsz);
	if (!text && read_variable("vmcoreinfo_data", &address, sizeof(address)) &&
	    read_variable("vmcoreinfo_size", &size, sizeof(size)))
		text = read_text(address, size);
	return text;
}

static const char *or_nothing(const char *text)
{
	return text ? text : "";
}

static void put(FILE *facts, const char *name, const char *value)
{
	fprintf(facts, "%s=%s%c", name, or_nothing(value), '\0');
}

/* Returns the facts, behind room for the header of the reply. */
char *lkst_facts(size_t *size)
{
	char *data = NULL, *vmcoreinfo = read_vmcoreinfo();
	FILE *facts = open_memstream(&data, size);
	const struct lkst_reply room = {0};

	if (!facts) {
		free(vmcoreinfo);
		return NULL;
	}
	fwrite(&room, sizeof(room), 1, facts);
	put(facts, "arch", pc->machine_type);
	put(facts, "release", kt->utsname.release);
	put(facts, "dumpfile", pc->dumpfile);
	put(facts, "namelist",
	    pc->debuginfo_file	 ? pc->debuginfo_file
	    : pc->namelist_debug ? pc->namelist_debug
				 : pc->namelist);
	put(facts, "live", ACTIVE() ? "1" : "0");
	put(facts, "vmcoreinfo", vmcoreinfo);
	for (int i = 0; vt->node_table && i < vt->numnodes; i++) {
		const struct node_table *node = &vt->node_table[i];

		fprintf(facts, "memory=%llx %llx%c", node->start_paddr,
			(unsigned long long)node->size * PAGESIZE(), '\0');
	}
	free(vmcoreinfo);
	if (fclose(facts) || *size > LKST_MAX_FACTS) {
		free(data);
		return NULL;
	}
	*size -= sizeof(room);
	return data;
}
