/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SOCKS4 and SOCKS4a; CONNECT only. */
#ifndef HAWSER_PROTO_SOCKS4_H
#define HAWSER_PROTO_SOCKS4_H

#include "proto/handshake.h"

#define SOCKS4_VERSION 4

/* As handshake_step() and handshake_reply(). */
enum parse socks4_step(struct handshake *handshake, const uint8_t *in, size_t len, size_t *consumed,
		       struct handshake_out *out);
void socks4_reply(const struct handshake *handshake, enum cause cause, const union address *bound,
		  struct handshake_out *out);

#endif
