/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Echo requests of given sizes through one interface. */
#include "doctor/ping.h"

/* linux/errqueue.h needs it before itself, and not all C libraries bring it. */
#include <time.h>

#include <errno.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "net/icmp_echo.h"

#define IPV4_HEADER 20U
#define IPV6_HEADER 40U
/* For the largest of a round, with what the kernel counts besides. */
#define QUEUE_BYTES ((int)(PING_SIZES_MAX * 2 * PING_BYTES_MAX))

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

/* What its queue has no room for would count as lost on the way. */
static void make_room(int fd, int forced, int option)
{
	if (set_int(fd, SOL_SOCKET, forced, QUEUE_BYTES))
		(void)set_int(fd, SOL_SOCKET, option, QUEUE_BYTES);
}

/* Packets as large as the interface takes, whatever was learnt of the path; and what routers say of
 * them. */
static int set_options(int fd, int family)
{
	int err;

	make_room(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	make_room(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	if (family == AF_INET) {
		err = set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
		return err ? err : set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	}
	err = set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
	err = err ? err : set_int(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
	return err ? err : set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
}

/* An IPv4 socket that is bound to it would not be told what this host says itself, as that a
 * neighbour is missing: that comes by the loopback interface (run on 6.18). */
static int choose_device(int fd, int family, const char *device)
{
	const unsigned int index = if_nametoindex(device);

	if (index == 0)
		return -errno;
	if (family == AF_INET)
		return set_int(fd, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(index));
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device))
		       ? -errno
		       : 0;
}

int ping_open(struct ping *echo, const char *device, const union address *from,
	      const union address *to)
{
	const int family = to->sa.sa_family;
	union address local = *from;
	union address remote = *to;
	int err;

	/* Of a raw socket a port would be a protocol. */
	address_set_port(&remote, 0);
	*echo = (struct ping){.fd = -1, .family = family};
	echo->fd = icmp_socket(family, true);
	if (echo->fd < 0)
		return echo->fd;
	echo->id = (uint16_t)randombytes_random();
	err = set_options(echo->fd, family);
	if (!err && *device)
		err = choose_device(echo->fd, family, device);
	/* A gateway may be of the other family. */
	if (!err && local.sa.sa_family == remote.sa.sa_family) {
		address_set_port(&local, 0);
		if (bind(echo->fd, &local.sa, address_length(&local)))
			err = -errno;
	}
	if (!err && connect(echo->fd, &remote.sa, address_length(&remote)))
		err = -errno;
	if (err)
		ping_close(echo);
	return err;
}

void ping_close(struct ping *echo)
{
	if (echo->fd >= 0)
		close(echo->fd);
	echo->fd = -1;
}

static void note_error(struct ping_round *round, int err)
{
	switch (err) {
	case 0:
	case EMSGSIZE: /* that one is too large, others may not be */
	case EAGAIN:
	case EINTR:
	case ENOBUFS:
		return;
	default:
		round->error = err;
	}
}

/* first: the sequence number of the first size; what is sent again has the same. */
static void send_unanswered(const struct ping *echo, struct ping_round *round, uint16_t first)
{
	/* Not constant, as the program's file would then have them all. */
	static uint8_t zeros[PING_BYTES_MAX];

	for (size_t i = 0; i < round->count && !round->error; i++) {
		const unsigned int header = echo->family == AF_INET ? IPV4_HEADER : IPV6_HEADER;
		struct icmp_echo message =
			icmp_echo_request(echo->family, echo->id, (uint16_t)(first + i));
		struct iovec parts[2] = {{.iov_base = &message, .iov_len = sizeof(message)},
					 {.iov_base = zeros}};
		const struct msghdr packet = {.msg_iov = parts, .msg_iovlen = 2};

		if (round->answered[i] || round->sizes[i] < header + sizeof(message))
			continue;
		parts[1].iov_len = round->sizes[i] - header - sizeof(message);
		/* What an error of before has left is told by the first attempt. */
		if (sendmsg(echo->fd, &packet, MSG_DONTWAIT) < 0) {
			note_error(round, errno);
			(void)sendmsg(echo->fd, &packet, MSG_DONTWAIT);
		}
	}
}

/* What routers, or the kernel for want of a neighbour, have said. */
static void read_complaints(const struct ping *echo, struct ping_round *round)
{
	char control[512];
	char nothing[1];
	struct iovec part = {.iov_base = nothing, .iov_len = sizeof(nothing)};

	for (;;) {
		struct msghdr message = {.msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof(control)};

		if (recvmsg(echo->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item;
		     item = CMSG_NXTHDR(&message, item)) {
			struct sock_extended_err complaint;

			if (!(item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_RECVERR) &&
			    !(item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_RECVERR))
				continue;
			memcpy(&complaint, CMSG_DATA(item), sizeof(complaint));
			if (complaint.ee_errno == EMSGSIZE &&
			    complaint.ee_origin != SO_EE_ORIGIN_LOCAL)
				round->mtu = complaint.ee_info;
			note_error(round, (int)complaint.ee_errno);
		}
	}
}

static void read_answers(const struct ping *echo, struct ping_round *round, uint16_t first,
			 double sent_s)
{
	uint8_t bytes[128]; /* the head is enough */
	ssize_t len;

	while ((len = recv(echo->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0 ||
	       errno == EMSGSIZE) {
		uint16_t sequence;
		uint16_t index;

		if (len < 0 ||
		    !icmp_echo_is_answer(echo->family, bytes, (size_t)len, echo->id, &sequence))
			continue;
		index = (uint16_t)(sequence - first);
		if (index >= round->count)
			continue;
		round->answered[index] = true;
		if (round->rtt_s == 0)
			round->rtt_s = clock_monotonic_s() - sent_s;
	}
}

static bool is_over(const struct ping_round *round)
{
	size_t answered = 0;

	for (size_t i = 0; i < round->count; i++)
		answered += round->answered[i];
	return answered == round->count || round->error;
}

void ping_send_round(struct ping *echo, struct ping_round *round, double wait_s)
{
	const uint16_t first = echo->sequence;

	echo->sequence = (uint16_t)(first + round->count);
	for (int half = 0; half < 2 && !is_over(round); half++) {
		const double sent_s = clock_monotonic_s();
		double left_s = wait_s / 2;

		send_unanswered(echo, round, first);
		while (left_s > 0 && !is_over(round)) {
			struct pollfd ready = {.fd = echo->fd, .events = POLLIN};

			(void)poll(&ready, 1, (int)(left_s * 1000) + 1);
			read_complaints(echo, round);
			read_answers(echo, round, first, sent_s);
			left_s = sent_s + wait_s / 2 - clock_monotonic_s();
		}
	}
}
