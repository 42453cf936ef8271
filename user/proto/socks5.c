/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The three messages of SOCKS5: methods, password or token, request. No UDP, no BIND. */
#include "proto/handshake_private.h"

#include <errno.h>
#include <string.h>

#define PASSWORD_VERSION 1

enum socks5_method {
	METHOD_NONE_NEEDED = 0x00,
	METHOD_PASSWORD = 0x02,
	METHOD_NONE_ACCEPTABLE = 0xff,
};

/* handshake->stage: the message that comes next. */
enum socks5_stage {
	STAGE_METHODS,
	STAGE_PASSWORD,
	STAGE_TOKEN,
	STAGE_REQUEST,
};

static void append_pair(struct handshake_out *out, uint8_t version, uint8_t value)
{
	const uint8_t pair[] = {version, value};

	handshake_out_append(out, pair, sizeof(pair));
}

static enum parse refuse(struct handshake *handshake, enum cause cause, struct handshake_out *out)
{
	handshake->cause = cause;
	socks5_reply(handshake, cause, NULL, out);
	return PARSE_BAD;
}

/* The readers below take one message: PARSE_MORE with *used == 0 asks for more bytes, with
 * *used > 0 for the next stage. */

static enum parse read_methods(struct handshake *handshake, const uint8_t *in, size_t len,
			       size_t *used, struct handshake_out *out)
{
	bool open, password;

	if (len < 2)
		return PARSE_MORE;
	if (in[1] == 0)
		return refuse(handshake, CAUSE_BAD_REQUEST, out);
	if (len < 2U + in[1])
		return PARSE_MORE;
	*used = 2U + in[1];
	if (handshake->gate && memchr(in + 2, HOP_METHOD, in[1])) {
		append_pair(out, SOCKS5_VERSION, HOP_METHOD);
		handshake->stage = STAGE_TOKEN;
		return PARSE_MORE;
	}
	if (handshake->access == ACCESS_DENIED)
		return refuse(handshake, CAUSE_NOT_ALLOWED, out);
	open = memchr(in + 2, METHOD_NONE_NEEDED, in[1]) && handshake->access == ACCESS_OPEN;
	password = memchr(in + 2, METHOD_PASSWORD, in[1]);
	if (!open && !password)
		return refuse(handshake, CAUSE_AUTH_FAILED, out);
	append_pair(out, SOCKS5_VERSION, open ? METHOD_NONE_NEEDED : METHOD_PASSWORD);
	handshake->stage = open ? STAGE_REQUEST : STAGE_PASSWORD;
	return PARSE_MORE;
}

static enum parse read_password(struct handshake *handshake, const uint8_t *in, size_t len,
				size_t *used, struct handshake_out *out)
{
	const char *name = (const char *)in + 2;
	size_t name_len, password_len;

	if (in[0] != PASSWORD_VERSION)
		return refuse(handshake, CAUSE_BAD_REQUEST, out);
	if (len < 2 || len < 3U + in[1])
		return PARSE_MORE;
	name_len = in[1];
	password_len = in[2 + name_len];
	if (len < 3 + name_len + password_len)
		return PARSE_MORE;

	/* A client of an open listener may insist on a password; then any will do. */
	if (handshake->access == ACCESS_PASSWORD &&
	    !handshake_check_password(handshake, name, name_len, name + name_len + 1, password_len))
		return refuse(handshake, CAUSE_AUTH_FAILED, out);
	*used = 3 + name_len + password_len;
	append_pair(out, PASSWORD_VERSION, 0);
	handshake->stage = STAGE_REQUEST;
	return PARSE_MORE;
}

/* data is DST.ADDR, size bytes, and then DST.PORT. */
static int set_destination(struct destination *destination, uint8_t type, const uint8_t *data,
			   size_t size)
{
	uint16_t port = (uint16_t)(data[size] << 8 | data[size + 1]);

	if (type == SOCKS5_NAME)
		return destination_from_host(destination, (const char *)data + 1, data[0], port);
	if (port == 0)
		return -EINVAL;
	*destination = (struct destination){.port = port};
	address_from_bytes(&destination->address, type == SOCKS5_IPV6 ? AF_INET6 : AF_INET, data,
			   port);
	return 0;
}

/* Bytes of the request that in begins with; 0: not enough of it is there to know; -EINVAL: it is
 * none. */
static int request_size(const uint8_t *in, size_t len)
{
	size_t size;

	if (len < 5)
		return 0;
	size = socks5_address_size(in[3], in[4]);
	return size ? (int)(4 + size + 2) : -EINVAL;
}

/* The message is judged with the request that follows, which it vouches for, and which is then read
 * as any other. */
static enum parse read_token(struct handshake *handshake, const uint8_t *in, size_t len,
			     size_t *used, struct handshake_out *out)
{
	uint8_t answer[HOP_ANSWER_BYTES];
	const int auth_size = hop_auth_size(in, len);
	struct hop_auth auth;
	enum hop_status status;
	int size;

	if (auth_size < 0)
		return refuse(handshake, CAUSE_BAD_REQUEST, out);
	if (auth_size == 0 || len < (size_t)auth_size)
		return PARSE_MORE;
	size = request_size(in + auth_size, len - (size_t)auth_size);
	if (size < 0)
		return refuse(handshake, CAUSE_BAD_REQUEST, out);
	if (size == 0 || len - (size_t)auth_size < (size_t)size)
		return PARSE_MORE;
	hop_auth_read(in, (size_t)auth_size, &auth);
	handshake_name_login(handshake, auth.token, auth.token_len);
	status = handshake->judge->token(handshake->gate, &auth, in + auth_size, (size_t)size,
					 &handshake->token, answer, &handshake->why);
	handshake_out_append(out, answer, sizeof(answer));
	handshake->cause = hop_cause_of(status);
	if (status != HOP_ACCEPTED)
		return PARSE_BAD;
	*used = (size_t)auth_size;
	handshake->stage = STAGE_REQUEST;
	return PARSE_MORE;
}

static enum parse read_request(struct handshake *handshake, const uint8_t *in, size_t len,
			       size_t *used, struct handshake_out *out)
{
	int size;

	if (in[0] != SOCKS5_VERSION)
		return refuse(handshake, CAUSE_BAD_REQUEST, out);
	if (len < 5)
		return PARSE_MORE;
	handshake->probe = handshake->token && in[1] == HOP_COMMAND_PROBE;
	handshake->wants_speed = handshake->token && in[1] == HOP_COMMAND_SPEED;
	if (in[1] != SOCKS5_CONNECT && !handshake->probe && !handshake->wants_speed)
		return refuse(handshake, CAUSE_COMMAND_NOT_SUPPORTED, out);
	size = request_size(in, len);
	if (size < 0)
		return refuse(handshake, CAUSE_ADDRESS_TYPE_NOT_SUPPORTED, out);
	if (len < (size_t)size)
		return PARSE_MORE;
	if (handshake->wants_speed) {
		if (in[3] != SOCKS5_IPV6 || !speed_request_read(in + 4, &handshake->speed))
			return refuse(handshake, CAUSE_BAD_REQUEST, out);
	} else if (!handshake->probe &&
		   set_destination(&handshake->destination, in[3], in + 4, (size_t)size - 6) < 0)
		return refuse(handshake, CAUSE_BAD_REQUEST, out);
	*used = (size_t)size;
	return PARSE_DONE;
}

enum parse socks5_step(struct handshake *handshake, const uint8_t *in, size_t len, size_t *consumed,
		       struct handshake_out *out)
{
	static enum parse (*const readers[])(struct handshake *, const uint8_t *, size_t, size_t *,
					     struct handshake_out *) = {
		[STAGE_METHODS] = read_methods,
		[STAGE_PASSWORD] = read_password,
		[STAGE_TOKEN] = read_token,
		[STAGE_REQUEST] = read_request,
	};
	enum parse result = PARSE_MORE;
	size_t used;

	*consumed = 0;
	do {
		used = 0;
		if (*consumed < len)
			result = readers[handshake->stage](handshake, in + *consumed,
							   len - *consumed, &used, out);
		*consumed += used;
	} while (result == PARSE_MORE && used > 0);
	return result;
}

static void append_request_reply(const union address *bound, enum cause cause,
				 struct handshake_out *out)
{
	const uint8_t head[] = {SOCKS5_VERSION, cause_info(cause)->socks5_reply, 0};
	union address none = {.in4 = {.sin_family = AF_INET}};
	uint8_t type = SOCKS5_IPV4;
	const void *ip;
	size_t ip_len;

	if (!bound || bound->sa.sa_family == AF_UNSPEC)
		bound = &none;
	if (bound->sa.sa_family == AF_INET6) {
		type = SOCKS5_IPV6;
		ip = &bound->in6.sin6_addr;
		ip_len = sizeof(bound->in6.sin6_addr);
	} else {
		ip = &bound->in4.sin_addr;
		ip_len = sizeof(bound->in4.sin_addr);
	}
	handshake_out_append(out, head, sizeof(head));
	handshake_out_append(out, &type, sizeof(type));
	handshake_out_append(out, ip, ip_len);
	handshake_out_append(out, &bound->in4.sin_port, sizeof(bound->in4.sin_port));
}

void socks5_reply(const struct handshake *handshake, enum cause cause, const union address *bound,
		  struct handshake_out *out)
{
	uint8_t answer[HOP_ANSWER_BYTES];

	if (handshake->stage == STAGE_TOKEN) {
		hop_answer_write(answer, HOP_REFUSED, 0, NULL, NULL);
		handshake_out_append(out, answer, sizeof(answer));
		return;
	}
	if (handshake->stage == STAGE_METHODS)
		append_pair(out, SOCKS5_VERSION, METHOD_NONE_ACCEPTABLE);
	else if (handshake->stage == STAGE_PASSWORD)
		append_pair(out, PASSWORD_VERSION, 1);
	else
		append_request_reply(bound, cause, out);
}
