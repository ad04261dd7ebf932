// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The dead kernel's memory: an ELF core of physical memory, which is what the
 * kernel gives as /proc/vmcore (fs/proc/vmcore.c).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grab.h"

/* So much is looked at in one piece. */
#define WINDOW (1ULL << 20)
#define MAX_SEGMENTS 65536
#define MAX_NOTES (16U << 20)

struct memory memory;

static int file = -1;

static struct {
	uint64_t physical;
	uint64_t size;
	const uint8_t *data;
	void *mapped; /* NULL: data is in the buffer */
	size_t mapped_size;
} window;

static bool read_all(void *to, size_t size, uint64_t offset)
{
	while (size) {
		ssize_t got = pread(file, to, size, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		to = (char *)to + got;
		size -= (size_t)got;
		offset += (uint64_t)got;
	}
	return true;
}

static int by_address(const void *one, const void *other)
{
	uint64_t a = ((const struct stretch *)one)->physical;
	uint64_t b = ((const struct stretch *)other)->physical;

	return a < b ? -1 : a > b;
}

static void add_notes(const Elf64_Phdr *segment)
{
	uint8_t *grown;

	if (!segment->p_filesz || segment->p_filesz > MAX_NOTES - memory.notes_size)
		return;
	grown = realloc(memory.notes, memory.notes_size + segment->p_filesz);
	if (!grown)
		return;
	memory.notes = grown;
	if (read_all(grown + memory.notes_size, segment->p_filesz, segment->p_offset))
		memory.notes_size += segment->p_filesz;
}

static void add_stretch(const Elf64_Phdr *segment, uint64_t file_size)
{
	struct stretch *stretch = &memory.stretches[memory.nr_stretches];
	uint64_t skip;

	stretch->physical = segment->p_paddr;
	stretch->offset = segment->p_offset;
	stretch->size = segment->p_filesz;
	if (segment->p_offset >= file_size)
		return;
	if (stretch->size > file_size - segment->p_offset)
		stretch->size = file_size - segment->p_offset;
	/* Words are looked at, so it begins with a whole one. */
	skip = -stretch->physical % sizeof(uint64_t);
	/* /proc/kcore has stretches of no physical address: -1. */
	if (skip >= stretch->size || stretch->physical + stretch->size < stretch->physical)
		return;
	stretch->physical += skip;
	stretch->offset += skip;
	stretch->size -= skip;
	memory.nr_stretches++;
}

void add_vmcoreinfo(void)
{
	static const char name[12] = "VMCOREINFO";
	size_t size = strlen(memory.vmcoreinfo), padded = (size + 3) & ~3UL;
	Elf64_Nhdr note = {.n_namesz = 11, .n_descsz = (Elf64_Word)size};
	size_t start = (memory.notes_size + 3) & ~3UL;
	uint8_t *grown = realloc(memory.notes, start + sizeof(note) + sizeof(name) + padded);

	if (!grown)
		return;
	memset(grown + memory.notes_size, 0, start - memory.notes_size);
	memory.notes = grown;
	grown += start;
	memcpy(grown, &note, sizeof(note));
	memcpy(grown + sizeof(note), name, sizeof(name));
	memset(grown + sizeof(note) + sizeof(name), 0, padded);
	memcpy(grown + sizeof(note) + sizeof(name), memory.vmcoreinfo, size);
	memory.notes_size = start + sizeof(note) + sizeof(name) + padded;
}

static void find_vmcoreinfo(void)
{
	static const char name[] = "VMCOREINFO";
	size_t at = 0;

	while (memory.notes_size - at >= sizeof(Elf64_Nhdr)) {
		const Elf64_Nhdr *note = (const void *)(memory.notes + at);
		size_t left = memory.notes_size - at - sizeof(*note);
		size_t name_size = (note->n_namesz + 3UL) & ~3UL;
		size_t size = (note->n_descsz + 3UL) & ~3UL;
		const char *text = (const char *)(note + 1);

		if (name_size > left || size > left - name_size || !name_size)
			return;
		if (note->n_namesz == sizeof(name) && !memcmp(text, name, sizeof(name))) {
			memory.vmcoreinfo = strndup(text + name_size, note->n_descsz);
			return;
		}
		at += sizeof(*note) + name_size + size;
	}
}

bool open_memory(const char *path)
{
	Elf64_Phdr *segments = NULL;
	struct stat status;
	Elf64_Ehdr header;
	Elf64_Shdr first;
	uint32_t count;

	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &status)) {
		complain("%s: %s", path, strerror(errno));
		return false;
	}
	if (!read_all(&header, sizeof(header), 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_phentsize != sizeof(Elf64_Phdr)) {
		complain("%s: is no ELF core", path);
		return false;
	}
	count = header.e_phnum;
	if (count == PN_XNUM && read_all(&first, sizeof(first), header.e_shoff))
		count = first.sh_info;
	if (count <= MAX_SEGMENTS) {
		segments = calloc(count + 1, sizeof(*segments));
		memory.stretches = calloc(count + 1, sizeof(*memory.stretches));
	}
	if (!segments || !memory.stretches ||
	    !read_all(segments, count * sizeof(*segments), header.e_phoff)) {
		complain("%s: its program headers cannot be read", path);
		free(segments);
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (segments[i].p_type == PT_NOTE)
			add_notes(&segments[i]);
		else if (segments[i].p_type == PT_LOAD)
			add_stretch(&segments[i], (uint64_t)status.st_size);
	}
	free(segments);
	qsort(memory.stretches, memory.nr_stretches, sizeof(*memory.stretches), by_address);
	find_vmcoreinfo();
	return true;
}

static const struct stretch *stretch_at(uint64_t physical, size_t size)
{
	/* They may overlap: the kernel's image has one of its own. */
	for (size_t i = 0; i < memory.nr_stretches; i++) {
		const struct stretch *stretch = &memory.stretches[i];

		if (physical >= stretch->physical && physical - stretch->physical < stretch->size &&
		    size <= stretch->size - (physical - stretch->physical))
			return stretch;
	}
	return NULL;
}

static bool move_window(const struct stretch *stretch, uint64_t physical)
{
	static uint8_t *buffer;
	uint64_t start = physical & ~(WINDOW - 1), end = start + WINDOW, offset;
	size_t slack;
	void *mapped;

	if (start < stretch->physical)
		start = stretch->physical;
	if (end > stretch->physical + stretch->size)
		end = stretch->physical + stretch->size;
	offset = stretch->offset + (start - stretch->physical);
	if (window.mapped)
		munmap(window.mapped, window.mapped_size);
	memset(&window, 0, sizeof(window));

	slack = offset % PAGE_SIZE;
	mapped = MAP_FAILED;
	/* What is looked at are words. */
	if (slack % sizeof(uint64_t) == start % sizeof(uint64_t))
		mapped = mmap(NULL, end - start + slack, PROT_READ, MAP_PRIVATE, file,
			      (off_t)(offset - slack));
	if (mapped != MAP_FAILED) {
		window.mapped = mapped;
		window.mapped_size = end - start + slack;
		window.data = (const uint8_t *)mapped + slack;
	} else {
		/* Not every kernel maps every part of it. */
		if (!buffer)
			buffer = malloc(WINDOW);
		if (!buffer)
			return false;
		if (!read_all(buffer, end - start, offset)) {
			start = PAGE_OF(physical) > start ? PAGE_OF(physical) : start;
			end = start + PAGE_SIZE < end ? start + PAGE_SIZE : end;
			offset = stretch->offset + (start - stretch->physical);
			if (!read_all(buffer, end - start, offset))
				return false;
		}
		window.data = buffer;
	}
	window.physical = start;
	window.size = end - start;
	return true;
}

const void *look(uint64_t physical, size_t size)
{
	if (physical < window.physical || physical - window.physical >= window.size ||
	    size > window.size - (physical - window.physical)) {
		const struct stretch *stretch = stretch_at(physical, size);

		if (!stretch || !move_window(stretch, physical) ||
		    size > window.size - (physical - window.physical))
			return NULL;
	}
	return window.data + (physical - window.physical);
}

bool vmcoreinfo_number(const char *key, int base, uint64_t *number)
{
	size_t length = strlen(key);
	const char *line = memory.vmcoreinfo;

	while (line) {
		if (!strncmp(line, key, length)) {
			char *end;

			*number = strtoull(line + length, &end, base);
			return end != line + length;
		}
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return false;
}
