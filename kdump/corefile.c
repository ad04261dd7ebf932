// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The grab: an ELF core of some physical memory. Its notes are those of the core
 * it was taken from (registers, VMCOREINFO), and one of the name LKST that holds
 * the list of pages by which it was taken, or "lkst-scan 1".
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grab.h"

#define NOTE_LIST 1

static int file = -1;
static uint64_t place;
static int failure; /* errno of what failed first */

static void put(const void *data, size_t size)
{
	while (size && !failure) {
		ssize_t done = pwrite(file, data, size, (off_t)place);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			failure = done ? errno : EIO;
			return;
		}
		data = (const char *)data + done;
		size -= (size_t)done;
		place += (uint64_t)done;
	}
}

static void pad(uint64_t alignment)
{
	static const char zeros[PAGE_SIZE];

	if (place % alignment)
		put(zeros, alignment - place % alignment);
}

static void put_notes(const char *list)
{
	static const char name[8] = "LKST";
	Elf64_Nhdr note = {
		.n_namesz = 5,
		.n_descsz = (Elf64_Word)strlen(list),
		.n_type = NOTE_LIST,
	};

	put(memory.notes, memory.notes_size);
	pad(4);
	put(&note, sizeof(note));
	put(name, sizeof(name));
	put(list, note.n_descsz);
	pad(4);
}

static void put_pages(const struct plan *plan)
{
	for (size_t i = 0; i < plan->nr_runs; i++) {
		for (uint64_t at = 0; at < plan->runs[i].size && !failure; at += PAGE_SIZE) {
			const void *page = look(plan->runs[i].physical + at, PAGE_SIZE);

			if (page)
				put(page, PAGE_SIZE);
			else
				failure = EIO;
		}
	}
}

static uint64_t size_of(const struct plan *plan)
{
	uint64_t size = 0;

	for (size_t i = 0; i < plan->nr_runs; i++)
		size += plan->runs[i].size;
	return size;
}

/* Writes the header and the program headers, which tell of these plans only. */
static void put_headers(size_t nr_plans, const struct plan **plans, uint64_t notes_at,
			uint64_t notes_size, uint64_t data_at)
{
	Elf64_Phdr segment = {.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = notes_size};
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phoff = sizeof(Elf64_Ehdr) + sizeof(Elf64_Shdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	Elf64_Shdr first = {0};
	size_t count = 1;

	for (size_t i = 0; i < nr_plans; i++)
		count += plans[i]->nr_runs;
	header.e_phnum = (Elf64_Half)count;
	if (count >= PN_XNUM) {
		header.e_phnum = PN_XNUM;
		header.e_shoff = sizeof(header);
		header.e_shnum = 1;
		first.sh_info = (Elf64_Word)count;
	}
	place = 0;
	put(&header, sizeof(header));
	put(&first, sizeof(first));
	put(&segment, sizeof(segment));
	for (size_t i = 0; i < nr_plans; i++) {
		for (size_t j = 0; j < plans[i]->nr_runs; j++) {
			segment = (Elf64_Phdr){
				.p_type = PT_LOAD,
				.p_flags = PF_R,
				.p_offset = data_at,
				.p_paddr = plans[i]->runs[j].physical,
				.p_filesz = plans[i]->runs[j].size,
				.p_memsz = plans[i]->runs[j].size,
				.p_align = PAGE_SIZE,
			};
			data_at += segment.p_filesz;
			put(&segment, sizeof(segment));
		}
	}
}

static void write_file(const char *list, uint64_t *size)
{
	const struct plan *plans[] = {&recorder_plan, &kernel_plan};
	size_t nr_plans = 2, nr_segments = 1 + recorder_plan.nr_runs + kernel_plan.nr_runs;
	uint64_t notes_at, notes_size, data_at;

	notes_at = sizeof(Elf64_Ehdr) + sizeof(Elf64_Shdr) + nr_segments * sizeof(Elf64_Phdr);
	place = notes_at;
	put_notes(list);
	notes_size = place - notes_at;
	pad(PAGE_SIZE);
	data_at = place;
	put_pages(&recorder_plan);
	if (failure)
		return;
	put_pages(&kernel_plan);
	if (failure) {
		complain("the kernel's names are left out: %s", strerror(failure));
		failure = 0;
		nr_plans = 1;
		place = data_at + size_of(&recorder_plan);
		if (ftruncate(file, (off_t)place))
			failure = errno;
	}
	*size = place;
	put_headers(nr_plans, plans, notes_at, notes_size, data_at);
}

static void sync_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

uint64_t write_core(const char *path, const char *list)
{
	char unfinished[PATH_MAX];
	uint64_t size = 0;

	if ((size_t)snprintf(unfinished, sizeof(unfinished), "%s-unfinished", path) >=
	    sizeof(unfinished)) {
		complain("%s: %s", path, strerror(ENAMETOOLONG));
		return 0;
	}
	file = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (file < 0) {
		complain("%s: %s", unfinished, strerror(errno));
		return 0;
	}
	write_file(list, &size);
	if (!failure && fsync(file))
		failure = errno;
	if (close(file) && !failure)
		failure = errno;
	if (!failure && rename(unfinished, path))
		failure = errno;
	if (failure) {
		complain("%s: %s", path, strerror(failure));
		unlink(unfinished);
		return 0;
	}
	sync_folder(path);
	return size;
}
