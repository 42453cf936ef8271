/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP/1.x as a proxy is asked (RFC 9110, 9112): CONNECT, and plain requests in absolute form. */
#ifndef HAWSER_PROTO_HTTP_PROXY_H
#define HAWSER_PROTO_HTTP_PROXY_H

#include "proto/handshake.h"

/* As handshake_step() and handshake_reply(). */
enum parse http_proxy_step(struct handshake *handshake, const uint8_t *in, size_t len,
			   size_t *consumed, struct handshake_out *out);
void http_proxy_reply(const struct handshake *handshake, enum cause cause,
		      const union address *bound, struct handshake_out *out);

/* Has the handshake read the next request of the same client. */
void http_proxy_next(struct handshake *handshake);

#endif
