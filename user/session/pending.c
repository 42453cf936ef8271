/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes that a socket has not taken yet. */
#include "session/pending.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/http_forward.h"

void pending_drop(struct pending *pending)
{
	free(pending->bytes);
	*pending = (struct pending){0};
}

int pending_add(struct pending *pending, const uint8_t *bytes, size_t len)
{
	uint8_t *grown = realloc(pending->bytes, pending->at + pending->len + len);

	if (!grown)
		return -ENOMEM;
	memcpy(grown + pending->at + pending->len, bytes, len);
	pending->bytes = grown;
	pending->len += len;
	return 0;
}

/* Bytes sent, or -errno. */
static ssize_t send_some(int fd, const uint8_t *bytes, size_t len)
{
	ssize_t n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n;
}

int pending_put(struct pending *pending, int fd, const uint8_t *bytes, size_t len)
{
	ssize_t n = pending->len == 0 ? send_some(fd, bytes, len) : 0;

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : pending_add(pending, bytes + n, len - (size_t)n);
}

int pending_send(struct pending *pending, int fd)
{
	ssize_t n = send_some(fd, pending->bytes + pending->at, pending->len);

	if (n < 0)
		return (int)n;
	pending->at += (size_t)n;
	pending->len -= (size_t)n;
	if (pending->len == 0)
		pending_drop(pending);
	return 0;
}

int pending_put_body(struct pending *pending, int fd, enum http_framing framing, uint8_t *bytes,
		     size_t len)
{
	char head[CHUNK_HEAD_MAX];
	int head_len;

	if (len == 0)
		return 0;
	if (framing != HTTP_BODY_CHUNKED)
		return pending_put(pending, fd, bytes, len);
	head_len = snprintf(head, sizeof(head), "%zx\r\n", len);
	memcpy(bytes - head_len, head, (size_t)head_len);
	bytes[len] = '\r';
	bytes[len + 1] = '\n';
	return pending_put(pending, fd, bytes - head_len, (size_t)head_len + len + CHUNK_TAIL);
}

int pending_put_end(struct pending *pending, int fd, const struct http_chunked *chunked)
{
	size_t len;
	uint8_t *end = http_forward_trailers(chunked, &len);
	int err = end ? pending_put(pending, fd, end, len) : -ENOMEM;

	free(end);
	return err;
}
