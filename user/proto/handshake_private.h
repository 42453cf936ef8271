/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What handshake.c and the protocols that it tells apart share. Each protocol has a step and a
 * reply, as handshake_step() and handshake_reply(). */
#ifndef HAWSER_PROTO_HANDSHAKE_PRIVATE_H
#define HAWSER_PROTO_HANDSHAKE_PRIVATE_H

#include "proto/handshake.h"
#include "proto/socks5_address.h"

#define SOCKS4_VERSION 4

/* SOCKS4 and SOCKS4a; CONNECT only. */
enum parse socks4_step(struct handshake *handshake, const uint8_t *in, size_t len, size_t *consumed,
		       struct handshake_out *out);
void socks4_reply(const struct handshake *handshake, enum cause cause, const union address *bound,
		  struct handshake_out *out);

/* SOCKS5 (RFC 1928) with user name and password (RFC 1929) or a token (hop_message.h); CONNECT
 * only. */
enum parse socks5_step(struct handshake *handshake, const uint8_t *in, size_t len, size_t *consumed,
		       struct handshake_out *out);
void socks5_reply(const struct handshake *handshake, enum cause cause, const union address *bound,
		  struct handshake_out *out);

/* HTTP/1.x as a proxy is asked (RFC 9110, 9112): CONNECT, and plain requests in absolute form. */
enum parse http_proxy_step(struct handshake *handshake, const uint8_t *in, size_t len,
			   size_t *consumed, struct handshake_out *out);
void http_proxy_reply(const struct handshake *handshake, enum cause cause,
		      const union address *bound, struct handshake_out *out);
void http_proxy_next(struct handshake *handshake);

/* Notes a name that was given, before it is judged. */
void handshake_name_login(struct handshake *handshake, const char *name, size_t len);

/* Has a password judged, and notes who that is. */
bool handshake_check_password(struct handshake *handshake, const char *name, size_t name_len,
			      const char *password, size_t password_len);

/* All answers of one dialogue together fit. */
void handshake_out_append(struct handshake_out *out, const void *bytes, size_t len);

#endif
