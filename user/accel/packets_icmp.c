/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells a peer whose packets are forwarded that they do not fit the other leg. */
#include "accel/packets_icmp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"

struct packets_icmp {
	int ipv4; /* raw sockets; -1: none */
	int ipv6;
};

/* What is quoted of TCP's header. */
struct quoted_tcp {
	uint16_t source_port;
	uint16_t destination_port;
	uint32_t seq;
};

struct message4 {
	struct icmphdr icmp;
	struct iphdr ip;
	struct quoted_tcp tcp;
};

struct message6 {
	struct icmp6_hdr icmp;
	struct ip6_hdr ip;
	struct quoted_tcp tcp;
};

static void keep_empty(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog filter = {.len = 1, .filter = &nothing};

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

struct packets_icmp *packets_icmp_open(void)
{
	const int type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
	struct packets_icmp *icmp = calloc(1, sizeof(*icmp));
	int err;

	if (!icmp)
		return NULL;
	icmp->ipv4 = socket(AF_INET, type, IPPROTO_ICMP);
	err = errno;
	icmp->ipv6 = socket(AF_INET6, type, IPPROTO_ICMPV6);
	/* Only to send by: nothing is to pile up that nobody reads. */
	keep_empty(icmp->ipv4);
	keep_empty(icmp->ipv6);
	if (icmp->ipv4 >= 0 || icmp->ipv6 >= 0)
		return icmp;
	free(icmp);
	errno = err;
	return NULL;
}

void packets_icmp_close(struct packets_icmp *icmp)
{
	if (!icmp)
		return;
	if (icmp->ipv4 >= 0)
		close(icmp->ipv4);
	if (icmp->ipv6 >= 0)
		close(icmp->ipv6);
	free(icmp);
}

/* RFC 1071, over an even number of bytes. */
static uint16_t checksum(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += sizeof(uint16_t)) {
		uint16_t word;

		memcpy(&word, at + i, sizeof(word));
		sum += ntohs(word);
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static struct quoted_tcp quote(const struct hawser_packets_leg *leg, uint32_t seq)
{
	return (struct quoted_tcp){.source_port = leg->peer_port,
				   .destination_port = leg->own_port,
				   .seq = htonl(seq)};
}

static void too_big4(int fd, const struct hawser_packets_leg *leg, uint32_t mtu, uint32_t seq)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = leg->peer[0]};
	struct message4 message = {
		.icmp = {.type = ICMP_DEST_UNREACH,
			 .code = ICMP_FRAG_NEEDED,
			 .un.frag.mtu = htons((uint16_t)mtu)},
		.ip = {.version = 4,
		       .ihl = 5,
		       .tot_len = htons((uint16_t)(mtu + 1)),
		       .frag_off = htons(IP_DF),
		       .ttl = IPDEFTTL,
		       .protocol = IPPROTO_TCP,
		       .saddr = leg->peer[0],
		       .daddr = leg->own[0]},
		.tcp = quote(leg, seq),
	};

	message.ip.check = checksum(&message.ip, sizeof(message.ip));
	message.icmp.checksum = checksum(&message, sizeof(message));
	(void)sendto(fd, &message, sizeof(message), 0, (struct sockaddr *)&to, sizeof(to));
}

static void too_big6(int fd, const struct hawser_packets_leg *leg, uint32_t mtu, uint32_t seq)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	struct message6 message = {.tcp = quote(leg, seq)};

	message.icmp.icmp6_type = ICMP6_PACKET_TOO_BIG;
	message.icmp.icmp6_mtu = htonl(mtu);
	message.ip.ip6_vfc = 0x60;
	message.ip.ip6_plen = htons((uint16_t)(mtu + 1 - sizeof(message.ip)));
	message.ip.ip6_nxt = IPPROTO_TCP;
	message.ip.ip6_hlim = IPDEFTTL;
	memcpy(&message.ip.ip6_src, leg->peer, sizeof(message.ip.ip6_src));
	memcpy(&message.ip.ip6_dst, leg->own, sizeof(message.ip.ip6_dst));
	memcpy(&to.sin6_addr, leg->peer, sizeof(to.sin6_addr));
	if (IN6_IS_ADDR_LINKLOCAL(&to.sin6_addr))
		to.sin6_scope_id = leg->ifindex;
	/* The kernel puts the checksum in (RFC 3542 section 3.1). */
	(void)sendto(fd, &message, sizeof(message), 0, (struct sockaddr *)&to, sizeof(to));
}

void packets_icmp_too_big(const struct packets_icmp *icmp, const struct hawser_packets_pair *pair,
			  unsigned int leg, uint32_t seq)
{
	const struct hawser_packets_leg *from = &pair->legs[leg & 1];
	const uint32_t mtu = pair->legs[!(leg & 1)].mtu;

	if (pair->family == HAWSER_PACKETS_IPV6)
		too_big6(icmp->ipv6, from, mtu, seq);
	else
		too_big4(icmp->ipv4, from, mtu, seq);
}
