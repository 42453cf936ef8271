/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells a peer whose packets are forwarded that they do not fit the other leg. */
#include "accel/packets_icmp.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "net/icmp_echo.h"
#include "net/internet_sum.h"

struct packets_icmp {
	int ipv4; /* raw sockets; negative: none */
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

struct packets_icmp *packets_icmp_open(void)
{
	struct packets_icmp *icmp = calloc(1, sizeof(*icmp));

	if (!icmp)
		return NULL;
	icmp->ipv4 = icmp_socket(AF_INET, false);
	icmp->ipv6 = icmp_socket(AF_INET6, false);
	if (icmp->ipv4 >= 0 || icmp->ipv6 >= 0)
		return icmp;
	free(icmp);
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

	message.ip.check = internet_checksum(internet_sum(&message.ip, sizeof(message.ip), 0));
	message.icmp.checksum = internet_checksum(internet_sum(&message, sizeof(message), 0));
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

bool packets_icmp_too_big(const struct packets_icmp *icmp, const struct hawser_packets_pair *pair,
			  unsigned int leg, uint32_t seq)
{
	const struct hawser_packets_leg *from = &pair->legs[leg & 1];
	const uint32_t mtu = pair->legs[!(leg & 1)].mtu;

	const bool ipv6 = pair->family == HAWSER_PACKETS_IPV6;
	const int fd = ipv6 ? icmp->ipv6 : icmp->ipv4;

	if (fd < 0)
		return false;
	if (ipv6)
		too_big6(fd, from, mtu, seq);
	else
		too_big4(fd, from, mtu, seq);
	return true;
}
