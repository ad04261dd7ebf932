/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lkst-grab: what its parts share. */
#ifndef LKST_GRAB_H
#define LKST_GRAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096ULL
#define PAGE_OF(address) ((address) & ~(PAGE_SIZE - 1))

/* complain.c: prints an error message. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* memory.c: the dead kernel's memory, an ELF core such as /proc/vmcore. */

/* A stretch of physical memory that the core has. */
struct stretch {
	uint64_t physical;
	uint64_t offset; /* in the file */
	uint64_t size;
};

struct memory {
	struct stretch *stretches; /* in the order of their addresses */
	size_t nr_stretches;
	uint8_t *notes;
	size_t notes_size;
	char *vmcoreinfo; /* NULL: there is none */
};

extern struct memory memory;

/* Whether the file could be opened and is such a core; if not, complains. */
bool open_memory(const char *path);

/*
 * Memory within one page. What it returns is good until the next call; NULL: the
 * core does not have it.
 */
const void *look(uint64_t physical, size_t size);

/* A number of VMCOREINFO, "NAME=" and all that is before it; whether it is there. */
bool vmcoreinfo_number(const char *key, int base, uint64_t *number);

/* tables.c: the kernel's page tables (x86-64). */

/* Called for each piece of a mapping, which is physically contiguous. */
typedef void on_mapping(uint64_t physical, uint64_t size, bool writable, bool executable);

/*
 * Walks the tables for a stretch of virtual memory; takes their pages into the
 * grab, so that its readers can walk them too. Whether there are tables to walk.
 */
bool walk(uint64_t address, uint64_t size, on_mapping *each);

/* Takes a stretch of virtual memory, as far as it is mapped. */
void take_virtual(uint64_t address, uint64_t size);

/* Copies a stretch of virtual memory, at most a page; whether all of it is there. */
bool read_virtual(uint64_t address, void *to, size_t size);

/*
 * kernel.c: what explains the recorder's numbers: names, types, the kernel's log;
 * and the kernel's variables, if no list tells where they are.
 */
void take_kernel(bool variables);

/* Whether a kernel lies where VMCOREINFO says: it has the release's name there. */
bool kernel_fits(void);

/* recorder.c: how the recorder's pages are recognised. */

/* A recorder that was found. */
struct recorder {
	uint16_t tag;
	uint32_t nr_cpus;
	uint8_t boot_id[16];
};

/* Whether a page begins with a recorder's header. */
bool is_header(const void *page, struct recorder *recorder);

/* Whether a page is a part of this recorder: of a ring, or of another map. */
bool is_ring_page(const uint64_t *page, const struct recorder *recorder);
bool is_named_page(const void *page, const struct recorder *recorder);

/* pagelist.c: the list of pages that "lkst start" has left. */

/* The list's text; NULL if it is not there, is damaged, or is of another boot: says so. */
char *take_listed(const char *path);

/* scan.c: finding a recorder without a list. How many pages of rings were found. */
size_t take_scanned(void);

/*
 * Looks for the text of VMCOREINFO in memory, of which there is no note. Where it
 * is; 0: there is none that fits.
 */
uint64_t guess_vmcoreinfo(void);

/* memory.c: adds the note that is missing. */
void add_vmcoreinfo(void);

/* plan.c: which pages go into the grab. */

struct run {
	uint64_t physical;
	uint64_t size;
};

struct plan {
	struct run *runs;
	size_t nr_runs;
	size_t room;
};

/* The recorder's memory, without which a grab is worth nothing, and the rest. */
extern struct plan recorder_plan, kernel_plan;

void take(struct plan *plan, uint64_t physical, uint64_t size);

/* Sorts and merges; leaves out what the core does not have. */
void settle(struct plan *plan);

/* corefile.c: the grab, an ELF core. */

/*
 * Writes it under another name, and renames it when it is on the disk. If there is
 * no room for all, the kernel's part is left out. Its size in bytes; 0: it failed.
 */
uint64_t write_core(const char *path, const char *list);

#endif
