/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header of the PROXY protocol, version 2. */
#include "proto/proxy_protocol.h"

#include <string.h>

static const uint8_t signature[] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
				    0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* Offsets. */
enum { COMMAND = 12, FAMILY = 13, LENGTH = 14 };

#define VERSION	       0x20
#define COMMAND_LOCAL  (VERSION | 0)
#define COMMAND_PROXY  (VERSION | 1)
#define FAMILY_UNSPEC  0x00
#define FAMILY_STREAM4 0x11
#define FAMILY_STREAM6 0x21
#define BYTES4	       12
#define BYTES6	       36

static enum parse refuse(struct proxy_protocol *out, const char *problem)
{
	out->problem = problem;
	return PARSE_BAD;
}

static uint16_t get_u16(const uint8_t *in)
{
	return (uint16_t)(in[0] << 8 | in[1]);
}

/* Two addresses of ip_bytes each, then two ports. */
static enum parse parse_addresses(const uint8_t *in, size_t len, int family, size_t ip_bytes,
				  struct proxy_protocol *out)
{
	const uint8_t *ports = in + 2 * ip_bytes;

	if (len < 2 * ip_bytes + 4)
		return refuse(out, "it is too short for its addresses");
	address_from_bytes(&out->source, family, in, get_u16(ports));
	address_from_bytes(&out->destination, family, in + ip_bytes, get_u16(ports + 2));
	return PARSE_DONE;
}

enum parse proxy_protocol_parse(const uint8_t *in, size_t len, struct proxy_protocol *out)
{
	const size_t compared = len < sizeof(signature) ? len : sizeof(signature);
	size_t body;

	memset(out, 0, sizeof(*out));
	out->need = PROXY_PROTOCOL_FIXED_BYTES;
	if (compared > 0 && memcmp(in, signature, compared) != 0)
		return refuse(out, "its signature is not that of version 2");
	if (len < PROXY_PROTOCOL_FIXED_BYTES)
		return PARSE_MORE;
	if (in[COMMAND] != COMMAND_LOCAL && in[COMMAND] != COMMAND_PROXY)
		return refuse(out, "its version or command is unknown");
	body = get_u16(in + LENGTH);
	if (body > PROXY_PROTOCOL_IN_MAX - PROXY_PROTOCOL_FIXED_BYTES)
		return refuse(out, "it is too long");
	out->need += body;
	if (len < out->need)
		return PARSE_MORE;
	/* LOCAL: a health check of the other proxy. Its family means nothing. */
	if (in[COMMAND] == COMMAND_LOCAL || in[FAMILY] == FAMILY_UNSPEC)
		return PARSE_DONE;
	if (in[FAMILY] == FAMILY_STREAM4)
		return parse_addresses(in + PROXY_PROTOCOL_FIXED_BYTES, body, AF_INET, 4, out);
	if (in[FAMILY] == FAMILY_STREAM6)
		return parse_addresses(in + PROXY_PROTOCOL_FIXED_BYTES, body, AF_INET6, 16, out);
	return refuse(out, "its addresses are neither of TCP over IPv4 nor over IPv6");
}

static void put_u16(uint8_t *out, uint16_t value)
{
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
}

/* IPv4 as v4-mapped. */
static void put_ip6(uint8_t *out, const union address *address)
{
	if (address->sa.sa_family == AF_INET6) {
		memcpy(out, &address->in6.sin6_addr, 16);
		return;
	}
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, &address->in4.sin_addr, 4);
}

static bool is_ip(const union address *address)
{
	return address->sa.sa_family == AF_INET || address->sa.sa_family == AF_INET6;
}

size_t proxy_protocol_write(uint8_t out[static PROXY_PROTOCOL_OUT_MAX], const union address *source,
			    const union address *destination)
{
	uint8_t *body = out + PROXY_PROTOCOL_FIXED_BYTES;
	size_t len = 0;

	memcpy(out, signature, sizeof(signature));
	out[COMMAND] = COMMAND_PROXY;
	out[FAMILY] = FAMILY_UNSPEC;
	if (source->sa.sa_family == AF_INET && destination->sa.sa_family == AF_INET) {
		out[FAMILY] = FAMILY_STREAM4;
		len = BYTES4;
		memcpy(body, &source->in4.sin_addr, 4);
		memcpy(body + 4, &destination->in4.sin_addr, 4);
	} else if (is_ip(source) && is_ip(destination)) {
		out[FAMILY] = FAMILY_STREAM6;
		len = BYTES6;
		put_ip6(body, source);
		put_ip6(body + 16, destination);
	}
	if (len > 0) {
		put_u16(body + len - 4, address_port(source));
		put_u16(body + len - 2, address_port(destination));
	}
	put_u16(out + LENGTH, (uint16_t)len);
	return PROXY_PROTOCOL_FIXED_BYTES + len;
}
