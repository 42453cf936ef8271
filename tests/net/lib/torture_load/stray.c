/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connections that hawserd may make for clients that leave early. Which one belongs to whom, or
 * whether there will be one, nobody knows; but what arrives must be right, and must end in a reset.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "pattern.h"

struct stray {
	struct watch watch;
	int fd;
	uint64_t received;
};

static size_t strays;

size_t stray_count(void)
{
	return strays;
}

static void watch_add(struct watch *watch, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll: %s", strerror(errno));
}

static void stray_ready(void *owner)
{
	struct stray *stray = owner;
	unsigned char data[4096];
	ssize_t n = recv(stray->fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0 && memcmp(data, pattern_at(0, stray->received), (size_t)n) == 0) {
		stray->received += (size_t)n;
		return;
	}
	if (n > 0)
		session_fail(NULL, "server of a client that left: wrong data");
	/* hawserd may give up a connection that it has just made, before anything was relayed. */
	if (n == 0 && stray->received > 0)
		session_fail(NULL,
			     "server of a client that left: end of stream after %" PRIu64 " bytes",
			     stray->received);
	close(stray->fd);
	free(stray);
	strays--;
}

static void stray_accept(void *owner)
{
	struct stray *listener = owner;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct stray *stray;

	if (fd < 0)
		return;
	stray = calloc(1, sizeof(*stray));
	if (!stray)
		die("no memory");
	*stray = (struct stray){.watch = {stray_ready, stray}, .fd = fd};
	strays++;
	keep_alive(fd);
	watch_add(&stray->watch, fd);
}

void stray_listen(int fd)
{
	/* One for TCP, one for MPTCP; for as long as the program runs. */
	static struct stray listeners[2];
	static size_t count;
	struct stray *listener = &listeners[count++];

	*listener = (struct stray){.watch = {stray_accept, listener}, .fd = fd};
	watch_add(&listener->watch, fd);
}
