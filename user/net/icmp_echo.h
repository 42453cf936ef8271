/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of ICMP echo (RFC 792, RFC 4443), and the socket for them. family: AF_INET or AF_INET6.
 */
#ifndef HAWSER_NET_ICMP_ECHO_H
#define HAWSER_NET_ICMP_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As on the wire. */
struct icmp_echo {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint16_t id;
	uint16_t sequence;
};

/* A raw socket, not blocking, that is given nothing but answers to echo requests, or nothing at
 * all, as what comes would wait in its queue: that of ping without rights is forbidden to root,
 * too, where net.ipv4.ping_group_range has its default. The caller closes it. -errno: -EPERM
 * without CAP_NET_RAW. */
int icmp_socket(int family, bool answers);

/* A request, after which nothing but zeros may follow. */
struct icmp_echo icmp_echo_request(int family, uint16_t id, uint16_t sequence);

/* Whether a packet that such a socket was given answers a request with this id; then sequence is
 * that of the request. */
bool icmp_echo_is_answer(int family, const uint8_t *packet, size_t len, uint16_t id,
			 uint16_t *sequence);

#endif
