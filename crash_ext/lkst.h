/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the extension share, and what goes over the socket: see
 * PROTOCOL.md.
 */
#ifndef LKST_H
#define LKST_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef LKST_PROTOCOL
#define LKST_PROTOCOL 1
#endif
#define LKST_MAGIC 0x687361726374736bULL /* "kstcrash" */
#define LKST_MAX_READ (1U << 20)
#define LKST_MAX_FACTS (1U << 20)

enum lkst_kind {
	LKST_HELLO = 1,
	LKST_READ = 2,
	LKST_NEXT = 3,
	LKST_BYE = 4,
};

struct lkst_request {
	uint32_t kind;
	uint32_t version;
	uint64_t address;
	uint64_t size;
};

struct lkst_reply {
	uint32_t kind;
	uint32_t version;
	uint64_t size;
};

/* A Python process. It is no child of crash's, which waits for all its children at times. */
struct lkst_child {
	int socket;   /* -1: there is none */
	int pidfd;    /* -1: the kernel has none; then only closing the socket ends it */
	bool alone;   /* for one command, and with that one's files from the start */
	bool prompt;  /* the terminal is its own, and so is Ctrl-C */
	bool greeted; /* has begun to ask */
	bool waiting; /* has asked for a command */
};

/* How a command ended, unless by its own status. */
#define LKST_DIED (-1)

#define LKST_NO_CHILD                                                                              \
	{                                                                                          \
		.socket = -1, .pidfd = -1                                                          \
	}

/* child.c */
bool lkst_start(struct lkst_child *child, const int stdio[3]);
void lkst_signal(const struct lkst_child *child, int sig);
bool lkst_alive(const struct lkst_child *child);
void lkst_end(struct lkst_child *child);

/* serve.c */
int lkst_serve(struct lkst_child *child, const char *words, size_t size, const int stdio[3]);

/* facts.c */
char *lkst_facts(size_t *size);

/* interrupts.c */

/* Counts Ctrl-C from now on. @before is what it did, for sigaction() to restore. */
void lkst_count_interrupts(struct sigaction *before);

/* How often the user has pressed Ctrl-C since then. */
int lkst_interrupts(void);

#endif
