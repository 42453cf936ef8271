/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a client's bytes reach us past TCP and in order, found out by doing it over loopback. */
#include "accel/local_private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel/local.h"

#define STEP_MS 1000 /* each wait; a loopback needs microseconds */

/* Both non-blocking. 0 or -errno. */
static int control_client_open(int *near, int *far, union address *far_address)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	union address address = {
		.in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address.in4);
	int listener = socket(AF_INET, type, IPPROTO_TCP);
	struct pollfd incoming = {.fd = listener, .events = POLLIN};
	int err = 0;

	*far = socket(AF_INET, type, IPPROTO_TCP);
	if (listener < 0 || *far < 0 || bind(listener, &address.sa, len) || listen(listener, 1) ||
	    getsockname(listener, &address.sa, &len) ||
	    (connect(*far, &address.sa, len) && errno != EINPROGRESS))
		err = -errno;
	else if (poll(&incoming, 1, STEP_MS) != 1)
		err = -ETIMEDOUT;
	len = sizeof(*far_address);
	if (!err) {
		*near = accept4(listener, &far_address->sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (*near < 0)
			err = -errno;
	}
	if (listener >= 0)
		close(listener);
	return err;
}

static bool send_text(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* Whether exactly text arrives. */
static bool receive_text(int fd, const char *text, struct local_client *client)
{
	char bytes[64];
	size_t got = 0;

	while (got < strlen(text)) {
		struct pollfd arriving = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&arriving, 1, STEP_MS) != 1)
			return false;
		n = recv(fd, bytes + got, strlen(text) - got, MSG_DONTWAIT);
		if (n <= 0)
			return false;
		got += (size_t)n;
		if (client)
			local_client_read(client, (uint64_t)n);
	}
	return memcmp(bytes, text, got) == 0;
}

/* By TCP, redirected, and then more than may wait: what remains goes by TCP behind it. NULL, or
 * what is wrong. */
static const char *probe_bytes(struct local_client *client, int near, int far)
{
	if (!receive_text(near, "early", client))
		return "this kernel loses what came by TCP";
	for (int i = 0; i < 2; i++)
		if (!send_text(far, "past TCP") || !receive_text(near, "past TCP", client))
			return "this kernel does not bring what was redirected";
	if (!send_text(far, "one,") || !send_text(far, "two;") || shutdown(far, SHUT_WR) ||
	    !receive_text(near, "one,two;", client))
		return "this kernel loses what was redirected before the end";
	return NULL;
}

int local_probe(struct local_worker *worker, char *reason, size_t size)
{
	struct local_client *client = NULL;
	union address far_address = {0};
	const char *wrong = NULL;
	int near = -1;
	int far = -1;
	struct local_counts counts;
	int err = control_client_open(&near, &far, &far_address);

	if (!err)
		err = local_adopt(worker, far, near);
	if (!err && !send_text(far, "early"))
		err = -EIO;
	if (!err) {
		client = local_client_open(worker, near, &far_address, 0, 0);
		wrong = client ? probe_bytes(client, near, far)
			       : "the kernel takes no TCP socket into a sockhash";
	}
	counts = local_client_close(client);
	if (err)
		snprintf(reason, size, "no connection over loopback to try with: %s",
			 strerror(-err));
	else if (!wrong && counts.redirected == 0)
		wrong = "this kernel redirects nothing";
	if (wrong) {
		snprintf(reason, size, "%s", wrong);
		err = -EIO;
	}
	if (near >= 0)
		close(near);
	if (far >= 0)
		close(far);
	return err;
}
