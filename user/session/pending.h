/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes that a socket has not taken yet, and bodies of HTTP messages on their way there. */
#ifndef HAWSER_SESSION_PENDING_H
#define HAWSER_SESSION_PENDING_H

#include <stddef.h>
#include <stdint.h>

#include "proto/http_message.h"

/* Room before and after the bytes of a body that pending_put_body() wants. */
#define CHUNK_HEAD_MAX 20
#define CHUNK_TAIL     2

struct pending {
	uint8_t *bytes;
	size_t at;
	size_t len;
};

void pending_drop(struct pending *pending);

/* 0 or -ENOMEM. */
int pending_add(struct pending *pending, const uint8_t *bytes, size_t len);

/* Sends what it can at once and keeps the rest. 0 or -errno, as all below. */
int pending_put(struct pending *pending, int fd, const uint8_t *bytes, size_t len);

/* Sends of what is pending. */
int pending_send(struct pending *pending, int fd);

/* Passes on a piece of a body, with room around it, in this framing. */
int pending_put_body(struct pending *pending, int fd, enum http_framing framing, uint8_t *bytes,
		     size_t len);

/* The end of a chunked body, with the trailers of chunked. */
int pending_put_end(struct pending *pending, int fd, const struct http_chunked *chunked);

#endif
