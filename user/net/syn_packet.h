/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first packet of a TCP connection as bytes, from its IP header on: who wants to go where, and
 * the packets that answer it when that does not work. No I/O. */
#ifndef HAWSER_NET_SYN_PACKET_H
#define HAWSER_NET_SYN_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define SYN_PACKET_MAX 2048
/* Of an answer: headers, and as much of the packet as an error of ICMP quotes. */
#define SYN_ANSWER_MAX 512

struct syn_packet {
	union address from;
	union address to;
	uint8_t *bytes; /* the caller's */
	size_t len;
	size_t tcp; /* offset of TCP's header */
};

/* bytes: of IPv4, or of IPv6 without extension headers. A checksum that the sender left to its
 * network card is filled in, as between two interfaces of one machine. 0; -EINVAL: it is something
 * else; -EBADMSG: its checksum is wrong. */
int syn_packet_parse(struct syn_packet *syn, uint8_t *bytes, size_t len);

/* With its IP header. Returns the length. */
size_t syn_packet_reset(const struct syn_packet *syn, uint8_t out[SYN_ANSWER_MAX]);

enum syn_unreachable { SYN_NO_ROUTE, SYN_NO_HOST, SYN_PROHIBITED };

/* Without IP header; the kernel fills in the checksum of ICMPv6. Returns the length. */
size_t syn_packet_unreachable(const struct syn_packet *syn, enum syn_unreachable why,
			      uint8_t out[SYN_ANSWER_MAX]);

#endif
