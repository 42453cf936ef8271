/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells the protocols apart and hands each its bytes. What they say is in socks5.c, socks4.c and
 * http_proxy.c. */
#include "proto/handshake_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct dialogue {
	const char *name;
	enum parse (*step)(struct handshake *handshake, const uint8_t *in, size_t len,
			   size_t *consumed, struct handshake_out *out);
	void (*reply)(const struct handshake *handshake, enum cause cause,
		      const union address *bound, struct handshake_out *out);
} dialogues[PROTOCOL_COUNT] = {
	[PROTOCOL_NONE] = {"none", NULL, NULL},
	[PROTOCOL_SOCKS5] = {"socks5", socks5_step, socks5_reply},
	[PROTOCOL_SOCKS4] = {"socks4", socks4_step, socks4_reply},
	[PROTOCOL_SOCKS4A] = {"socks4a", socks4_step, socks4_reply},
	[PROTOCOL_HTTP_CONNECT] = {"http-connect", http_proxy_step, http_proxy_reply},
	[PROTOCOL_HTTP] = {"http", http_proxy_step, http_proxy_reply},
	[PROTOCOL_FORWARD] = {"forward", NULL, NULL},
	[PROTOCOL_TRANSPARENT] = {"transparent", NULL, NULL},
};

/* SOCKS4A and HTTP_CONNECT are told from their siblings further on, by their own step. */
static enum protocol detect(uint8_t first)
{
	if (first == SOCKS5_VERSION)
		return PROTOCOL_SOCKS5;
	if (first == SOCKS4_VERSION)
		return PROTOCOL_SOCKS4;
	if (first >= 'A' && first <= 'Z')
		return PROTOCOL_HTTP;
	return PROTOCOL_NONE;
}

void handshake_init(struct handshake *handshake, enum access access,
		    const struct handshake_judge *judge, const struct users *users)
{
	memset(handshake, 0, sizeof(*handshake));
	handshake->access = access;
	handshake->judge = judge;
	handshake->users = users;
}

enum parse handshake_step(struct handshake *handshake, const uint8_t *in, size_t len,
			  size_t *consumed, struct handshake_out *out)
{
	*consumed = 0;
	if (len == 0)
		return PARSE_MORE;
	if (handshake->protocol == PROTOCOL_NONE)
		handshake->protocol = detect(in[0]);
	if (handshake->protocol == PROTOCOL_NONE) {
		handshake->cause = CAUSE_BAD_REQUEST;
		return PARSE_BAD;
	}
	assert(dialogues[handshake->protocol].step);
	return dialogues[handshake->protocol].step(handshake, in, len, consumed, out);
}

void handshake_next(struct handshake *handshake)
{
	http_proxy_next(handshake);
}

void handshake_reply(const struct handshake *handshake, enum cause cause,
		     const union address *bound, struct handshake_out *out)
{
	if (dialogues[handshake->protocol].reply)
		dialogues[handshake->protocol].reply(handshake, cause, bound, out);
}

void handshake_name_login(struct handshake *handshake, const char *name, size_t len)
{
	snprintf(handshake->login, sizeof(handshake->login), "%.*s",
		 (int)(len < LOGIN_TEXT_MAX ? len : LOGIN_TEXT_MAX), name);
}

bool handshake_check_password(struct handshake *handshake, const char *name, size_t name_len,
			      const char *password, size_t password_len)
{
	handshake_name_login(handshake, name, name_len);
	handshake->user = handshake->judge->password(handshake->users, name, name_len, password,
						     password_len);
	handshake->wrong_password = !handshake->user;
	return handshake->user;
}

void handshake_out_append(struct handshake_out *out, const void *bytes, size_t len)
{
	assert(len <= sizeof(out->bytes) - out->len);
	memcpy(out->bytes + out->len, bytes, len);
	out->len += len;
}

const char *protocol_name(enum protocol protocol)
{
	assert(protocol < PROTOCOL_COUNT);
	return dialogues[protocol].name;
}
