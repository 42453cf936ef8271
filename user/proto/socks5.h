/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SOCKS5 (RFC 1928) with user name and password (RFC 1929) or a token (hop_message.h); CONNECT
 * only. */
#ifndef HAWSER_PROTO_SOCKS5_H
#define HAWSER_PROTO_SOCKS5_H

#include "proto/handshake.h"

#define SOCKS5_VERSION 5
#define SOCKS5_CONNECT 1

enum socks5_address_type {
	SOCKS5_IPV4 = 1,
	SOCKS5_NAME = 3,
	SOCKS5_IPV6 = 4,
};

/* Bytes of an address of this type, whose first byte is given, with the length byte of a name; 0 if
 * there is no such type. */
size_t socks5_address_size(uint8_t type, uint8_t first);

/* As handshake_step() and handshake_reply(). */
enum parse socks5_step(struct handshake *handshake, const uint8_t *in, size_t len, size_t *consumed,
		       struct handshake_out *out);
void socks5_reply(const struct handshake *handshake, enum cause cause, const union address *bound,
		  struct handshake_out *out);

#endif
