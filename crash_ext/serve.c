// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answering the Python process: memory, facts, commands. See PROTOCOL.md.
 */
#define _GNU_SOURCE
#include <defs.h>

#include <poll.h>
#include <sys/socket.h>

#include "lkst.h"

#define TICK_MS 100
/* After Ctrl-C the child is to end by itself; then it is asked to, then made to. */
#define ASK_MS 500
#define FORCE_MS 3000

#define PAGE_MASK_ ((uint64_t)PAGESIZE() - 1)

/* State of a command that is interrupted. */
struct course {
	struct lkst_child *child;
	uint64_t interrupted; /* ms, CLOCK_MONOTONIC */
	bool asked;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns false if it is no use to wait any longer. */
static bool press(struct course *course)
{
	uint64_t since;

	/* At a prompt, Ctrl-C is the prompt's. */
	if (course->child->prompt || !lkst_interrupts())
		return true;
	if (!course->interrupted)
		course->interrupted = now_ms();
	since = now_ms() - course->interrupted;
	if (since >= FORCE_MS || lkst_interrupts() > 1) {
		lkst_signal(course->child, SIGKILL);
		return false;
	}
	if (since >= ASK_MS && !course->asked) {
		course->asked = true;
		lkst_signal(course->child, SIGINT);
	}
	return true;
}

/* Waits until the socket is ready. Interrupts are looked after meanwhile. */
static bool wait_for(struct course *course, short events)
{
	struct pollfd ready = {.fd = course->child->socket, .events = events};

	do {
		if (!press(course))
			return false;
	} while (poll(&ready, 1, TICK_MS) <= 0);
	return true;
}

static bool receive(struct course *course, void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t count =
			recv(course->child->socket, (char *)data + done, size - done, MSG_DONTWAIT);

		if (count > 0)
			done += count;
		else if (count == 0 || (errno != EAGAIN && errno != EINTR) ||
			 !wait_for(course, POLLIN))
			return false;
	}
	return true;
}

/* fds: three to pass along with the first byte, or NULL. */
static bool transmit(struct course *course, const void *data, size_t size, const int *fds)
{
	char space[CMSG_SPACE(3 * sizeof(int))] = {0};
	size_t done = 0;

	while (done < size) {
		struct iovec part = {(char *)data + done, size - done};
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t count;

		if (fds && !done) {
			struct cmsghdr *header;

			message.msg_control = space;
			message.msg_controllen = sizeof(space);
			header = CMSG_FIRSTHDR(&message);
			header->cmsg_level = SOL_SOCKET;
			header->cmsg_type = SCM_RIGHTS;
			header->cmsg_len = CMSG_LEN(3 * sizeof(int));
			memcpy(CMSG_DATA(header), fds, 3 * sizeof(int));
		}
		count = sendmsg(course->child->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (count > 0)
			done += count;
		else if ((errno != EAGAIN && errno != EINTR) || !wait_for(course, POLLOUT))
			return false;
	}
	return true;
}

/* data: begins with room for the header. */
static bool answer(struct course *course, enum lkst_kind kind, char *data, size_t size,
		   const int *fds)
{
	const struct lkst_reply reply = {kind, LKST_PROTOCOL, size};

	memcpy(data, &reply, sizeof(reply));
	return transmit(course, data, sizeof(reply) + size, fds);
}

static bool read_physical(uint64_t address, char *data, size_t size)
{
	return readmem(address, PHYSADDR, data, size, "memory for lkst", RETURN_ON_ERROR | QUIET);
}

/* Returns how much of it there is from its beginning on. */
static size_t read_memory(uint64_t address, char *data, size_t size)
{
	size_t done = 0;

	if (read_physical(address, data, size))
		return size;
	while (done < size) {
		size_t part = PAGESIZE() - ((address + done) & PAGE_MASK_);

		if (part > size - done)
			part = size - done;
		if (!read_physical(address + done, data + done, part))
			break;
		done += part;
	}
	return done;
}

static bool answer_read(struct course *course, const struct lkst_request *request)
{
	static char data[sizeof(struct lkst_reply) + LKST_MAX_READ];
	size_t size;

	if (request->size == 0 || request->size > LKST_MAX_READ ||
	    request->address + request->size < request->address) {
		error(INFO, "a read of %llu bytes is asked for\n",
		      (unsigned long long)request->size);
		return false;
	}
	size = read_memory(request->address, data + sizeof(struct lkst_reply), request->size);
	return answer(course, LKST_READ, data, size, NULL);
}

static bool answer_hello(struct course *course, const struct lkst_request *request)
{
	size_t size = 0;
	char *data;
	bool good;

	/* Who has another version is told ours, and no more. */
	if (request->version != LKST_PROTOCOL) {
		char header[sizeof(struct lkst_reply)];

		return answer(course, LKST_HELLO, header, 0, NULL);
	}
	if (request->address != LKST_MAGIC)
		return false;
	data = lkst_facts(&size);
	if (!data)
		return false;
	good = answer(course, LKST_HELLO, data, size, NULL);
	free(data);
	return good;
}

static bool answer_next(struct course *course, const char *words, size_t size, const int *stdio)
{
	char *data = malloc(sizeof(struct lkst_reply) + size);
	bool good;

	if (!data)
		return false;
	memcpy(data + sizeof(struct lkst_reply), words, size);
	good = answer(course, LKST_NEXT, data, size, stdio);
	free(data);
	return good;
}

/*
 * Have the child run a command, and serve it until that is done.
 *
 * words: each ends with a zero byte
 * stdio: files to pass along, or NULL if the child has them
 * Returns the exit status, or LKST_DIED.
 */
int lkst_serve(struct lkst_child *child, const char *words, size_t size, const int stdio[3])
{
	struct course course = {.child = child};
	struct lkst_request request;
	bool running = child->waiting;

	if (running && !answer_next(&course, words, size, stdio))
		return LKST_DIED;
	child->waiting = false;
	while (receive(&course, &request, sizeof(request))) {
		bool good = false;

		child->greeted = true;
		switch (request.kind) {
		case LKST_HELLO:
			good = answer_hello(&course, &request);
			break;
		case LKST_READ:
			good = answer_read(&course, &request);
			break;
		case LKST_NEXT:
			if (running) {
				child->waiting = true;
				return (int)(request.address & 0xff);
			}
			running = true;
			good = answer_next(&course, words, size, stdio);
			break;
		case LKST_BYE:
			lkst_end(child);
			return (int)(request.address & 0xff);
		}
		if (!good)
			break;
	}
	return LKST_DIED;
}
