/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header of the PROXY protocol, version 2 (haproxy's doc/proxy-protocol.txt section 2.2): who
 * the client of a connection is that another proxy made. Pure. */
#ifndef HAWSER_PROTO_PROXY_PROTOCOL_H
#define HAWSER_PROTO_PROXY_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "proto/handshake.h"

/* With the longest addresses that are written, those of IPv6. */
#define PROXY_PROTOCOL_OUT_MAX 52
/* Of those read: the two bytes of its length could say more, but nobody has such TLVs. */
#define PROXY_PROTOCOL_IN_MAX 4096
/* How much there is to read before the length of all is known. */
#define PROXY_PROTOCOL_FIXED_BYTES 16

struct proxy_protocol {
	size_t need;	     /* PARSE_MORE: how many bytes there must be before the next call */
	const char *problem; /* PARSE_BAD: what is wrong; a literal */
	/* PARSE_DONE: both AF_UNSPEC when those of the connection hold (LOCAL, or UNSPEC). A
	 * v4-mapped one is IPv4, whatever the other is. */
	union address source;
	union address destination;
};

/* in[0..len) is what came so far, no more than need asked for (at first
 * PROXY_PROTOCOL_FIXED_BYTES). TLVs are skipped. */
enum parse proxy_protocol_parse(const uint8_t *in, size_t len, struct proxy_protocol *out);

/* Returns the header's length. A header has one family: of an IPv4 and an IPv6 address, the first
 * is written v4-mapped, as haproxy does. Of any other, a header without addresses is written. */
size_t proxy_protocol_write(uint8_t out[static PROXY_PROTOCOL_OUT_MAX], const union address *source,
			    const union address *destination);

#endif
