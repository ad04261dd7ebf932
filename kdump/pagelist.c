// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The list of the recorder's pages that "lkst start" leaves on the disk, which
 * lkst/record/lifecycle/page_list.py describes. Lines of words:
 *
 *	lkst-pages 1
 *	boot UUID
 *	catalogue|control|cpus|counts ADDRESS PAGES
 *	ring BUFFER ADDRESS PAGES
 *	kernel ADDRESS PAGES
 *	end LINES
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grab.h"

#define MAX_LIST (64L << 20)
#define MAX_PAGES (1ULL << 28)

static char *read_text(const char *path)
{
	FILE *list = fopen(path, "re");
	char *text = NULL;
	long size;

	if (!list) {
		complain("%s: %s", path, strerror(errno));
		return NULL;
	}
	if (!fseek(list, 0, SEEK_END) && (size = ftell(list)) > 0 && size <= MAX_LIST &&
	    !fseek(list, 0, SEEK_SET) && (text = calloc(1, (size_t)size + 1)) &&
	    fread(text, 1, (size_t)size, list) != (size_t)size) {
		free(text);
		text = NULL;
	}
	fclose(list);
	if (!text)
		complain("%s: cannot be read", path);
	return text;
}

/* Line by line; ends with NULL. */
static const char *next_line(const char *line)
{
	line = strchr(line, '\n');
	return line && line[1] ? line + 1 : NULL;
}

static bool parse_run(const char *line, uint64_t *physical, uint64_t *pages)
{
	unsigned long long address, count;
	char word[16];

	if (sscanf(line, "ring %*u %llx %llu", &address, &count) != 2 &&
	    sscanf(line, "%15s %llx %llu", word, &address, &count) != 3)
		return false;
	if (address % PAGE_SIZE || !count || count > MAX_PAGES)
		return false;
	*physical = address;
	*pages = count;
	return true;
}

/* Whether the list is whole: its last line tells how many there are before. */
static bool is_whole(const char *text)
{
	unsigned long count = 0, told;

	if (strncmp(text, "lkst-pages 1\n", 13))
		return false;
	for (const char *line = text; line; line = next_line(line), count++)
		if (sscanf(line, "end %lu", &told) == 1)
			return told == count;
	return false;
}

static bool boot_is(const char *text, const uint8_t *boot_id)
{
	const char *told = strstr(text, "\nboot ");
	char digit[3] = {0};

	if (!told)
		return false;
	told += 6;
	for (int i = 0; i < 16; i++) {
		if (*told == '-')
			told++;
		memcpy(digit, told, 2);
		if (strtoul(digit, NULL, 16) != boot_id[i])
			return false;
		told += 2;
	}
	return true;
}

/* The recorder whose header lies where the list says, if it is this boot's. */
static bool find_recorder(const char *text, struct recorder *recorder)
{
	for (const char *line = text; line; line = next_line(line)) {
		uint64_t physical, pages;
		const void *page;

		if (strncmp(line, "catalogue ", 10))
			continue;
		if (!parse_run(line, &physical, &pages))
			return false;
		page = look(physical, PAGE_SIZE);
		return page && is_header(page, recorder) && boot_is(text, recorder->boot_id);
	}
	return false;
}

static bool is_empty(const uint64_t *page)
{
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*page); i++)
		if (page[i])
			return false;
	return true;
}

/* Takes those pages of a ring that are its own; how many are not. */
static uint64_t take_ring(uint64_t physical, uint64_t pages, const struct recorder *recorder)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < pages; i++) {
		uint64_t at = physical + i * PAGE_SIZE;
		const void *page = look(at, PAGE_SIZE);

		if (page && (is_ring_page(page, recorder) || is_empty(page)))
			take(&recorder_plan, at, PAGE_SIZE);
		else
			wrong++;
	}
	return wrong;
}

char *take_listed(const char *path)
{
	uint64_t physical, pages, wrong = 0, all = 0;
	struct recorder recorder;
	char *text = read_text(path);

	if (!text)
		return NULL;
	if (!is_whole(text)) {
		complain("%s: is damaged", path);
		goto none;
	}
	if (!find_recorder(text, &recorder)) {
		complain("%s: is not of the kernel that has died", path);
		goto none;
	}
	for (const char *line = text; line; line = next_line(line)) {
		if (!parse_run(line, &physical, &pages))
			continue;
		if (!strncmp(line, "kernel ", 7)) {
			take(&kernel_plan, physical, pages * PAGE_SIZE);
		} else if (strncmp(line, "ring ", 5)) {
			take(&recorder_plan, physical, pages * PAGE_SIZE);
		} else {
			wrong += take_ring(physical, pages, &recorder);
			all += pages;
		}
	}
	if (wrong)
		complain("%s: %llu of %llu pages of the rings are no longer that", path,
			 (unsigned long long)wrong, (unsigned long long)all);
	/* A list of another recorder of this boot. */
	if (2 * wrong > all) {
		recorder_plan.nr_runs = 0;
		goto none;
	}
	return text;
none:
	free(text);
	return NULL;
}
