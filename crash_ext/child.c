// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting and ending the Python process.
 *
 * It is started by a process in between, which ends at once. As a child of crash it
 * would be reaped by crash, or waited for: crash waits for all children it has when a
 * command of an input file was piped to several programs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lkst.h"

#ifndef LKST_PYTHON
#define LKST_PYTHON "python3"
#endif

/* Since Linux 5.3 and 5.1, the same on all machines; headers may be older than that. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

#define SOCKET 3
#define MAX_FD 65536
#define END_MS 3000

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

static void close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
#endif
	for (int fd = first; fd < MAX_FD; fd++)
		close(fd);
}

static void move(int from, int to)
{
	if (from < 0 || dup2(from, to) < 0)
		_exit(1);
}

static void become_python(int socket, const int stdio[3])
{
	const char *python = getenv("LKST_PYTHON");
	int fds[4];
	sigset_t none;

	if (!python || !*python)
		python = LKST_PYTHON;
	/* Until it is ready for it, Ctrl-C is not for it; Python leaves that as it is. */
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* First out of the way of each other, then where they belong. */
	for (int i = 0; i < 3; i++)
		fds[i] = fcntl(stdio[i], F_DUPFD, SOCKET + 1);
	fds[SOCKET] = fcntl(socket, F_DUPFD, SOCKET + 1);
	for (int i = 0; i <= SOCKET; i++)
		move(fds[i], i);
	close_from(SOCKET + 1);
	/* crash is often run where a dump lies; nothing there is to be imported. */
	setenv("PYTHONSAFEPATH", "1", 1);
	execlp(python, python, "-m", "lkst.hosts.crash", TEXT(SOCKET), TEXT(SOCKET), (char *)NULL);
	fprintf(stderr, "lkst: cannot run %s: %s\n", python, strerror(errno));
	_exit(127);
}

static pid_t fork_twice(int socket, const int stdio[3])
{
	int report[2];
	pid_t between, python = -1;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -1;
	between = fork();
	if (between == 0) {
		python = fork();
		if (python == 0)
			become_python(socket, stdio);
		_exit(write(report[1], &python, sizeof(python)) != sizeof(python));
	}
	close(report[1]);
	if (between > 0) {
		while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
			;
		if (read(report[0], &python, sizeof(python)) != sizeof(python))
			python = -1;
	}
	close(report[0]);
	return python;
}

/* stdio: what its standard input, output and error are to be. */
bool lkst_start(struct lkst_child *child, const int stdio[3])
{
	const int buffer = LKST_MAX_READ; /* or what the system allows */
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	pid = fork_twice(pair[1], stdio);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return false;
	}
	child->socket = pair[0];
	child->waiting = child->greeted = false;
	/* Unlike its number, this never means another process. */
	child->pidfd = syscall(SYS_pidfd_open, pid, 0);
	return true;
}

void lkst_signal(const struct lkst_child *child, int sig)
{
	if (child->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, child->pidfd, sig, NULL, 0);
}

bool lkst_alive(const struct lkst_child *child)
{
	struct pollfd end = {.fd = child->socket};

	return child->socket >= 0 && !(poll(&end, 1, 0) > 0 && end.revents);
}

/* It ends when its socket closes; if not, it is made to. */
void lkst_end(struct lkst_child *child)
{
	struct pollfd end = {.fd = child->pidfd, .events = POLLIN};

	if (child->socket >= 0)
		close(child->socket);
	if (child->pidfd >= 0) {
		if (poll(&end, 1, END_MS) <= 0)
			lkst_signal(child, SIGKILL);
		close(child->pidfd);
	}
	child->socket = child->pidfd = -1;
	child->waiting = false;
}
