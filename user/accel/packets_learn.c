/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the packets of a pair can be forwarded, and where its two connections are. */
#include "accel/packets_learn.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "accel/tcp_position.h"
#include "base/clock.h"

#define HEADERS_IPV4 40 /* of IP and TCP, without options */
#define HEADERS_IPV6 60

/* Two TCPs do better than one where of so many segments of a leg one was sent again, or came out of
 * turn; and where a leg has such a round-trip time, as what the other loses later would be sent
 * again only after that. */
#define LOSSY_ONE_IN 200
#define LONG_US	     5000

uint32_t packets_now_ms(void)
{
	return (uint32_t)(uint64_t)(clock_monotonic_s() * 1e3);
}

/* IPv4 may come mapped into IPv6. */
static union address unmapped(const union address *address)
{
	union address out = *address;

	if (address->sa.sa_family == AF_INET6)
		address_from_bytes(&out, AF_INET6, &address->in6.sin6_addr, address_port(address));
	if (out.sa.sa_family == AF_INET6)
		out.in6.sin6_scope_id = address->in6.sin6_scope_id;
	return out;
}

static void put_address(uint32_t ip[static 4], uint16_t *port, const union address *address)
{
	*port = htons(address_port(address));
	if (address->sa.sa_family == AF_INET6)
		memcpy(ip, &address->in6.sin6_addr, sizeof(address->in6.sin6_addr));
	else
		ip[0] = address->in4.sin_addr.s_addr;
}

static uint32_t headers_bytes(uint32_t family)
{
	return family == HAWSER_PACKETS_IPV6 ? HEADERS_IPV6 : HEADERS_IPV4;
}

/* Where the socket is in its streams, after so many bytes from it and to it, and what of the latter
 * the peer has acknowledged at least. 0, -EAGAIN or another -errno. */
static int end_locate(struct packets_end *end, uint64_t from, uint64_t to, uint32_t *acknowledged)
{
	uint32_t taken = 0;
	uint32_t next = 0;
	uint32_t clock = 0;
	/* First, as nothing else may go into repair while something is to be sent. */
	int err = tcp_position_next(end->fd, &next, acknowledged);

	if (!err)
		err = tcp_position_taken(end->fd, &taken);
	if (!err)
		err = tcp_seat_clock(end->fd, &clock);
	end->copied = taken - (uint32_t)from;
	end->written = next - (uint32_t)to;
	end->clock = clock - packets_now_ms();
	return err;
}

/* What both ends agreed on, and what that forbids: a reason, or NULL. */
static const char *end_describe(struct packets_end *end, struct hawser_packets_leg *leg,
				uint32_t *segment_bytes)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	socklen_t mark_len = sizeof(leg->mark);

	if (tcp_seat_read(end->fd, &end->seat) ||
	    getsockopt(end->fd, IPPROTO_TCP, TCP_INFO, &info, &len) ||
	    getsockopt(end->fd, SOL_SOCKET, SO_MARK, &leg->mark, &mark_len))
		return "the kernel does not tell where the connection is";
	end->own = unmapped(&end->seat.own);
	end->peer = unmapped(&end->seat.peer);
	put_address(leg->own, &leg->own_port, &end->own);
	put_address(leg->peer, &leg->peer_port, &end->peer);
	leg->own_scale = end->seat.own_scale;
	leg->peer_scale = end->seat.peer_scale;
	leg->stamps = end->seat.stamps;
	leg->mtu = info.tcpi_pmtu;
	*segment_bytes = info.tcpi_advmss;
	return NULL;
}

/* The shortest round-trip time is the way's; others have waited for whoever answers. */
const char *packets_ends_differ(const struct packets_end ends[DIRECTIONS])
{
	uint32_t longer_us = 0;

	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct tcp_info info = {0};
		socklen_t len = sizeof(info);

		if (getsockopt(ends[d].fd, IPPROTO_TCP, TCP_INFO, &info, &len))
			return "the kernel does not tell where the connection is";
		if (info.tcpi_total_retrans * LOSSY_ONE_IN > info.tcpi_segs_out ||
		    info.tcpi_rcv_ooopack * LOSSY_ONE_IN > info.tcpi_segs_in)
			return "packets: a leg loses packets";
		if (info.tcpi_min_rtt > longer_us)
			longer_us = info.tcpi_min_rtt;
	}
	return longer_us > LONG_US ? "packets: a leg is long" : NULL;
}

static const char *ends_disagree(const struct packets_end ends[DIRECTIONS],
				 const struct hawser_packets_pair *shared,
				 const uint32_t segments[static DIRECTIONS])
{
	const struct tcp_seat *client = &ends[UP].seat;
	const struct tcp_seat *server = &ends[DOWN].seat;
	const uint32_t headers = headers_bytes(shared->family);

	if (client->stamps != server->stamps)
		return "only one leg has time stamps";
	if (client->ecn != server->ecn)
		return "only one leg has ECN";
	if (segments[UP] + headers > shared->legs[DOWN].mtu ||
	    segments[DOWN] + headers > shared->legs[UP].mtu)
		return "segments of one leg are too large for the other";
	return NULL;
}

static const char *end_attend(struct packets_worker *worker, const struct packets_end *end,
			      struct hawser_packets_leg *leg)
{
	const int device =
		packets_device_to(worker, &end->own, &end->peer, leg->mark, end->seat.transparent);

	switch (device < 0 ? device : packets_attend(worker, device)) {
	case 0:
		leg->ifindex = (uint32_t)device;
		return NULL;
	case -EHOSTUNREACH:
		return "a peer is on this host";
	case -EOPNOTSUPP:
		return "a leg's device is of an unknown kind";
	default:
		return "the program cannot be attached to a leg's device";
	}
}

const char *packets_learn(struct packets_worker *worker, struct packets_end ends[DIRECTIONS],
			  const uint64_t bytes[DIRECTIONS], struct hawser_packets_pair *shared)
{
	uint32_t segments[DIRECTIONS] = {0};
	const char *reason = NULL;

	errno = EOPNOTSUPP;
	for (enum direction d = UP; d < DIRECTIONS && !reason; d++)
		reason = end_describe(&ends[d], &shared->legs[d], &segments[d]);
	if (reason)
		return reason;
	shared->family = ends[UP].own.sa.sa_family;
	if (shared->family != ends[DOWN].own.sa.sa_family)
		return "one leg is IPv4, the other IPv6";
	reason = ends_disagree(ends, shared, segments);
	for (enum direction d = UP; d < DIRECTIONS && !reason; d++)
		reason = end_attend(worker, &ends[d], &shared->legs[d]);
	if (reason) {
		errno = EOPNOTSUPP;
		return reason;
	}
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		int err = end_locate(&ends[d], bytes[d], bytes[direction_opposite(d)],
				     &shared->legs[d].own_acked);

		if (err) {
			errno = -err;
			return "the kernel does not tell where the connection is";
		}
	}
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct hawser_packets_leg *leg = &shared->legs[d];

		leg->seq_delta = ends[direction_opposite(d)].written - ends[d].copied;
		leg->end = ends[d].copied + (uint32_t)bytes[d];
	}
	return NULL;
}

bool packets_ends_are_clear(const struct packets_end ends[DIRECTIONS])
{
	return tcp_position_is_clear(ends[UP].fd) && tcp_position_is_clear(ends[DOWN].fd);
}
