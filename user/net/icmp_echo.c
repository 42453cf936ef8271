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

#include "net/internet_sum.h"

int icmp_socket(int family, bool answers)
{
	const bool v4 = family == AF_INET;
	const struct icmp_filter filter4 = {.data = answers ? ~(1U << ICMP_ECHOREPLY) : ~0U};
	struct icmp6_filter filter6;
	const int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			      v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	int err;

	if (fd < 0)
		return -errno;
	ICMP6_FILTER_SETBLOCKALL(&filter6);
	if (answers)
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

	/* The kernel fills in that of ICMPv6. */
	if (family == AF_INET)
		echo.checksum = internet_checksum(internet_sum(&echo, sizeof(echo), 0));
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
