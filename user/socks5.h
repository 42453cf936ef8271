/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SOCKS5 (RFC 1928) with user name and password (RFC 1929); CONNECT only. */
#ifndef HAWSER_SOCKS5_H
#define HAWSER_SOCKS5_H

#include "handshake.h"

#define SOCKS5_VERSION 5

/* As handshake_step() and handshake_reply(). */
enum parse socks5_step(struct handshake *handshake, const uint8_t *in, size_t len, size_t *consumed,
		       struct handshake_out *out);
void socks5_reply(const struct handshake *handshake, enum cause cause, const union address *bound,
		  struct handshake_out *out);

#endif
