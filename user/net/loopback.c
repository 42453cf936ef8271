/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection over loopback, to find out by trying what the kernel does. */
#include "net/loopback.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEP_MS	      1000
#define SEGMENT_BYTES 1400

bool loopback_wait(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	return poll(&poll_fd, 1, STEP_MS) == 1;
}

int loopback_open(struct loopback *connection, int listener_protocol, int far_protocol,
		  int small_bytes)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, type, listener_protocol);
	const int segment = SEGMENT_BYTES;
	int err = 0;

	connection->near = -1;
	connection->far = socket(AF_INET, type, far_protocol);
	if (listener < 0 || connection->far < 0)
		goto fail;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* Loopback's segments are larger than small buffers: TCP would wait for its timers. */
	setsockopt(listener, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
	setsockopt(connection->far, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
	if (small_bytes > 0 &&
	    setsockopt(connection->far, SOL_SOCKET, SO_RCVBUF, &small_bytes, sizeof(small_bytes)))
		goto fail;
	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		goto fail;
	if (connect(connection->far, (struct sockaddr *)&address, len) && errno != EINPROGRESS)
		goto fail;
	if (!loopback_wait(listener, POLLIN)) {
		err = -ETIMEDOUT;
		goto out;
	}
	connection->near = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (connection->near < 0)
		goto fail;
	if (small_bytes > 0 &&
	    setsockopt(connection->near, SOL_SOCKET, SO_SNDBUF, &small_bytes, sizeof(small_bytes)))
		goto fail;
	if (!loopback_wait(connection->far, POLLOUT))
		err = -ETIMEDOUT;
	goto out;
fail:
	err = -errno;
out:
	if (listener >= 0)
		close(listener);
	return err;
}

void loopback_close(struct loopback *connection)
{
	if (connection->near >= 0)
		close(connection->near);
	if (connection->far >= 0)
		close(connection->far);
}
