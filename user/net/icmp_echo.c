/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of ICMP echo, and the socket for them. */
#include "net/icmp_echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 1071; the kernel fills in that of ICMPv6. */
static uint16_t checksum(const struct icmp_echo *echo)
{
	uint16_t words[sizeof(*echo) / 2];
	uint32_t sum = 0;

	memcpy(words, echo, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		sum += words[i];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t) ~(sum + (sum >> 16));
}

int icmp_echo_socket(int family)
{
	const bool v4 = family == AF_INET;
	const struct icmp_filter filter4 = {.data = ~(1U << ICMP_ECHOREPLY)};
	struct icmp6_filter filter6;
	const int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			      v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	int err;

	if (fd < 0)
		return -errno;
	ICMP6_FILTER_SETBLOCKALL(&filter6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
	if (!(v4 ? setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter4, sizeof(filter4))
		 : setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6))))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

struct icmp_echo icmp_echo_request(int family, uint16_t id, uint16_t sequence)
{
	struct icmp_echo echo = {.type = family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
				 .id = htons(id),
				 .sequence = htons(sequence)};

	if (family == AF_INET)
		echo.checksum = checksum(&echo);
	return echo;
}

bool icmp_echo_is_answer(int family, const uint8_t *packet, size_t len, uint16_t id,
			 uint16_t *sequence)
{
	/* A raw socket of IPv4 is given the IP header, too. */
	const size_t header = family == AF_INET && len > 0 ? (packet[0] & 0xfU) * 4 : 0;
	struct icmp_echo echo;

	if (len < header + sizeof(echo))
		return false;
	memcpy(&echo, packet + header, sizeof(echo));
	if (echo.type != (family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) ||
	    echo.id != htons(id))
		return false;
	*sequence = ntohs(echo.sequence);
	return true;
}
