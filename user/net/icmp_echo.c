/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of ICMP echo, and the socket for them. */
#include "net/icmp_echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/internet_sum.h"

static int take_answers(int fd, int family)
{
	const struct icmp_filter filter4 = {.data = ~(1U << ICMP_ECHOREPLY)};
	struct icmp6_filter filter6;

	if (family == AF_INET)
		return setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter4, sizeof(filter4));
	ICMP6_FILTER_SETBLOCKALL(&filter6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6));
}

/* Those filters know no types from 32 on. */
static int take_nothing(int fd)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog program = {.len = 1, .filter = &none};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int icmp_socket(int family, bool answers)
{
	const int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			      family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	int err;

	if (fd < 0)
		return -errno;
	if (!(answers ? take_answers(fd, family) : take_nothing(fd)))
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
