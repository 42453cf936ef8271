/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one message of SOCKS4 and SOCKS4a. It carries no password, so a listener that wants one
 * refuses it. */
#include "proto/handshake_private.h"

#include <string.h>

#define COMMAND_CONNECT	 1
#define REPLY_GRANTED	 0x5a
#define REPLY_REJECTED	 0x5b
#define FIXED_SIZE	 8   /* VN, CD, DSTPORT, DSTIP */
#define STRING_MAX_BYTES 255 /* of the user id and the name, without their NUL */

static enum parse refuse(struct handshake *handshake, enum cause cause, struct handshake_out *out)
{
	handshake->cause = cause;
	socks4_reply(handshake, cause, NULL, out);
	return PARSE_BAD;
}

/* Finds the end of a NUL-terminated string. PARSE_DONE: *size includes the NUL. */
static enum parse read_string(const uint8_t *in, size_t len, size_t *size)
{
	size_t window = len <= STRING_MAX_BYTES ? len : STRING_MAX_BYTES + 1;
	const uint8_t *end = memchr(in, '\0', window);

	if (!end)
		return window <= STRING_MAX_BYTES ? PARSE_MORE : PARSE_BAD;
	*size = (size_t)(end - in) + 1;
	return PARSE_DONE;
}

/* 0.0.0.x with x != 0 announces a name behind the user id. */
static bool is_socks4a(const uint8_t ip[4])
{
	return ip[0] == 0 && ip[1] == 0 && ip[2] == 0 && ip[3] != 0;
}

/* Without the checks of command and access. */
static enum parse read_message(struct handshake *handshake, const uint8_t *in, size_t len,
			       size_t *size)
{
	uint16_t port = (uint16_t)(in[2] << 8 | in[3]);
	size_t user_size, name_size;
	enum parse result;

	result = read_string(in + FIXED_SIZE, len - FIXED_SIZE, &user_size);
	if (result != PARSE_DONE)
		return result;
	*size = FIXED_SIZE + user_size;
	if (!is_socks4a(in + 4)) {
		handshake->destination = (struct destination){.port = port};
		address_from_bytes(&handshake->destination.address, AF_INET, in + 4, port);
		return port == 0 ? PARSE_BAD : PARSE_DONE;
	}

	handshake->protocol = PROTOCOL_SOCKS4A;
	result = read_string(in + *size, len - *size, &name_size);
	if (result != PARSE_DONE)
		return result;
	if (destination_from_host(&handshake->destination, (const char *)in + *size, name_size - 1,
				  port) < 0)
		return PARSE_BAD;
	*size += name_size;
	return PARSE_DONE;
}

enum parse socks4_step(struct handshake *handshake, const uint8_t *in, size_t len, size_t *consumed,
		       struct handshake_out *out)
{
	enum parse result;
	size_t size = 0;

	*consumed = 0;
	if (len < FIXED_SIZE)
		return PARSE_MORE;
	if (in[1] != COMMAND_CONNECT)
		return refuse(handshake, CAUSE_COMMAND_NOT_SUPPORTED, out);
	result = read_message(handshake, in, len, &size);
	if (result == PARSE_MORE)
		return PARSE_MORE;
	if (result == PARSE_BAD)
		return refuse(handshake, CAUSE_BAD_REQUEST, out);
	if (handshake->access == ACCESS_DENIED)
		return refuse(handshake, CAUSE_NOT_ALLOWED, out);
	if (handshake->access == ACCESS_PASSWORD)
		return refuse(handshake, CAUSE_AUTH_FAILED, out);
	*consumed = size;
	return PARSE_DONE;
}

void socks4_reply(const struct handshake *handshake, enum cause cause, const union address *bound,
		  struct handshake_out *out)
{
	const uint8_t head[] = {0, cause == CAUSE_NONE ? REPLY_GRANTED : REPLY_REJECTED};
	const union address none = {.in4 = {.sin_family = AF_INET}};

	(void)handshake;
	if (!bound || bound->sa.sa_family != AF_INET) /* no room for IPv6 */
		bound = &none;
	handshake_out_append(out, head, sizeof(head));
	handshake_out_append(out, &bound->in4.sin_port, sizeof(bound->in4.sin_port));
	handshake_out_append(out, &bound->in4.sin_addr, sizeof(bound->in4.sin_addr));
}
