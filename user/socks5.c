// SPDX-License-Identifier: GPL-2.0-or-later
/* The three messages of SOCKS5: methods, password, request. No UDP, no BIND. */
#include "socks5.h"

#include <errno.h>
#include <string.h>

#define PASSWORD_VERSION 1

enum socks5_method {
	METHOD_NONE_NEEDED = 0x00,
	METHOD_PASSWORD = 0x02,
	METHOD_NONE_ACCEPTABLE = 0xff,
};

enum socks5_address_type {
	ADDRESS_TYPE_IPV4 = 1,
	ADDRESS_TYPE_NAME = 3,
	ADDRESS_TYPE_IPV6 = 4,
};

#define COMMAND_CONNECT 1

/* handshake->stage: the message that comes next. */
enum socks5_stage {
	STAGE_METHODS,
	STAGE_PASSWORD,
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
	if (handshake->access == ACCESS_DENIED)
		return refuse(handshake, CAUSE_NOT_ALLOWED, out);

	*used = 2U + in[1];
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
	    !users_check(handshake->users, name, name_len, name + name_len + 1, password_len))
		return refuse(handshake, CAUSE_AUTH_FAILED, out);
	*used = 3 + name_len + password_len;
	append_pair(out, PASSWORD_VERSION, 0);
	handshake->stage = STAGE_REQUEST;
	return PARSE_MORE;
}

/* Bytes of DST.ADDR, with the length byte of a name; 0 if the type is unknown. */
static size_t address_size(uint8_t type, uint8_t first)
{
	switch (type) {
	case ADDRESS_TYPE_IPV4:
		return sizeof(struct in_addr);
	case ADDRESS_TYPE_IPV6:
		return sizeof(struct in6_addr);
	case ADDRESS_TYPE_NAME:
		return 1U + first;
	default:
		return 0;
	}
}

/* data is DST.ADDR, size bytes, and then DST.PORT. */
static int set_destination(struct destination *destination, uint8_t type, const uint8_t *data,
			   size_t size)
{
	uint16_t port = (uint16_t)(data[size] << 8 | data[size + 1]);

	if (type == ADDRESS_TYPE_NAME)
		return destination_from_host(destination, (const char *)data + 1, data[0], port);
	if (port == 0)
		return -EINVAL;
	*destination = (struct destination){.port = port};
	address_from_bytes(&destination->address, type == ADDRESS_TYPE_IPV6 ? AF_INET6 : AF_INET,
			   data, port);
	return 0;
}

static enum parse read_request(struct handshake *handshake, const uint8_t *in, size_t len,
			       size_t *used, struct handshake_out *out)
{
	size_t size;

	if (in[0] != SOCKS5_VERSION)
		return refuse(handshake, CAUSE_BAD_REQUEST, out);
	if (len < 5)
		return PARSE_MORE;
	if (in[1] != COMMAND_CONNECT)
		return refuse(handshake, CAUSE_COMMAND_NOT_SUPPORTED, out);
	size = address_size(in[3], in[4]);
	if (size == 0)
		return refuse(handshake, CAUSE_ADDRESS_TYPE_NOT_SUPPORTED, out);
	if (len < 4 + size + 2)
		return PARSE_MORE;
	if (set_destination(&handshake->destination, in[3], in + 4, size) < 0)
		return refuse(handshake, CAUSE_BAD_REQUEST, out);
	*used = 4 + size + 2;
	return PARSE_DONE;
}

enum parse socks5_step(struct handshake *handshake, const uint8_t *in, size_t len, size_t *consumed,
		       struct handshake_out *out)
{
	static enum parse (*const readers[])(struct handshake *, const uint8_t *, size_t, size_t *,
					     struct handshake_out *) = {
		[STAGE_METHODS] = read_methods,
		[STAGE_PASSWORD] = read_password,
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
	uint8_t type = ADDRESS_TYPE_IPV4;
	const void *ip;
	size_t ip_len;

	if (!bound || bound->sa.sa_family == AF_UNSPEC)
		bound = &none;
	if (bound->sa.sa_family == AF_INET6) {
		type = ADDRESS_TYPE_IPV6;
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
	if (handshake->stage == STAGE_METHODS)
		append_pair(out, SOCKS5_VERSION, METHOD_NONE_ACCEPTABLE);
	else if (handshake->stage == STAGE_PASSWORD)
		append_pair(out, PASSWORD_VERSION, 1);
	else
		append_request_reply(bound, cause, out);
}
