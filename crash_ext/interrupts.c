// SPDX-License-Identifier: GPL-2.0-or-later
/* Counts how often the user presses Ctrl-C while a command runs. */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>

#include "lkst.h"

static volatile sig_atomic_t interrupts;

static void count_interrupt(int sig)
{
	(void)sig;
	interrupts++;
}

void lkst_count_interrupts(struct sigaction *before)
{
	struct sigaction count = {.sa_handler = count_interrupt};

	interrupts = 0;
	sigaction(SIGINT, &count, before);
}

int lkst_interrupts(void)
{
	return interrupts;
}
