/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether packets can be forwarded on this kernel, found out by doing it. */
#include "accel/packets_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "accel/packets.h"
#include "accel/tcp_position.h"
#include "accel/tcp_seat.h"
#include "net/internet_sum.h"
#include "net/loopback.h"

#define IPV4_BYTES  20
#define IPV6_BYTES  40
#define TCP_BYTES   32 /* with time stamps */
#define FRAME_BYTES (ETH_HLEN + IPV6_BYTES + TCP_BYTES + 5)
#define REDIRECTED  7 /* TC_ACT_REDIRECT */
#define WINDOW	    65000
#define STAMP	    1000U
#define SEQ	    0xfffffff0U /* wraps on the way */
#define SEQ_DELTA   0x1000U
#define STAMP_DELTA 0x2000U
#define MTU	    1500
#define LOOPBACK    1
#define PATIENCE    5 /* seconds */

static const char payload[5] = "Hawse";

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

struct ends {
	const uint32_t *source;
	const uint32_t *destination;
	uint16_t source_port;
	uint16_t destination_port;
};

static size_t make_frame(uint8_t frame[static FRAME_BYTES], bool ipv6, const struct ends *ends,
			 uint32_t seq, uint32_t ack, uint32_t stamp, uint32_t echo)
{
	const size_t address = ipv6 ? 16 : 4;
	const size_t ip_bytes = ipv6 ? IPV6_BYTES : IPV4_BYTES;
	uint8_t *ip = frame + ETH_HLEN;
	uint8_t *tcp = ip + ip_bytes;
	const uint32_t len = TCP_BYTES + sizeof(payload);
	uint32_t total;

	memset(frame, 0, FRAME_BYTES);
	put16(frame + 12, ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	if (ipv6) {
		ip[0] = 0x60;
		put16(ip + 4, len);
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
	} else {
		ip[0] = 0x45;
		put16(ip + 2, IPV4_BYTES + len);
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
	}
	memcpy(tcp - 2 * address, ends->source, address);
	memcpy(tcp - address, ends->destination, address);
	if (!ipv6)
		put16(ip + 10, ~internet_sum_fold(internet_sum(ip, IPV4_BYTES, 0)));
	memcpy(tcp, &ends->source_port, sizeof(ends->source_port));
	memcpy(tcp + 2, &ends->destination_port, sizeof(ends->destination_port));
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = TCP_BYTES / 4 << 4;
	tcp[13] = 0x10; /* ACK */
	put16(tcp + 14, WINDOW);
	put32(tcp + 20, 0x0101080a);
	put32(tcp + 24, stamp);
	put32(tcp + 28, echo);
	memcpy(tcp + TCP_BYTES, payload, sizeof(payload));
	total = internet_sum(ends->source, address, IPPROTO_TCP + len);
	total = internet_sum(ends->destination, address, total);
	put16(tcp + 16, ~internet_sum_fold(internet_sum(tcp, len, total)));
	return ETH_HLEN + ip_bytes + len;
}

static struct hawser_packets_leg make_leg(bool ipv6, uint32_t number)
{
	struct hawser_packets_leg leg = {
		.peer_port = htons((uint16_t)(1000 + number)),
		.own_port = htons((uint16_t)(2000 + number)),
		.stamps = 1,
		.seq_delta = SEQ_DELTA,
		.stamp_delta = STAMP_DELTA,
		.mtu = MTU,
		.ifindex = LOOPBACK,
		.acked = SEQ,
		.end = SEQ,
		.edge = SEQ,
		.stamp_floor = STAMP - STAMP_DELTA,
	};

	for (uint32_t i = 0; i < (ipv6 ? 4 : 1); i++) {
		leg.peer[i] = htonl(0x0a000001 + number + i);
		leg.own[i] = htonl(0x0a000101 + number + i);
	}
	return leg;
}

/* One packet of one family. NULL, or what is wrong. */
static const char *try_program(struct packets *packets, bool ipv6)
{
	struct packets_worker *worker = packets_worker_to_try(packets);
	struct hawser_packets_pair initial = {
		.word = HAWSER_PACKETS_TAKEN,
		.family = ipv6 ? HAWSER_PACKETS_IPV6 : HAWSER_PACKETS_IPV4,
		.legs = {make_leg(ipv6, 1), make_leg(ipv6, 2)},
	};
	const struct hawser_packets_leg *from = &initial.legs[0];
	const struct hawser_packets_leg *to = &initial.legs[1];
	struct hawser_packets_pair *pair;
	uint8_t frame[FRAME_BYTES];
	uint8_t wanted[FRAME_BYTES];
	size_t len = make_frame(
		frame, ipv6, &(struct ends){from->peer, from->own, from->peer_port, from->own_port},
		SEQ, SEQ + SEQ_DELTA, STAMP, STAMP);
	int result;
	int slot;

	make_frame(wanted, ipv6, &(struct ends){to->own, to->peer, to->own_port, to->peer_port},
		   SEQ + SEQ_DELTA, SEQ, STAMP + STAMP_DELTA, STAMP - STAMP_DELTA);
	slot = packets_enter(worker, &initial, worker, &pair);
	if (slot < 0)
		return "the kernel does not take a pair";
	result = packets_run(packets, frame, len);
	packets_leave(worker, slot);
	if (result != REDIRECTED)
		return "the kernel does not forward a packet";
	return memcmp(frame, wanted, len) == 0 ? NULL : "the kernel spoils a packet";
}

static bool says(int fd)
{
	return send(fd, payload, sizeof(payload), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(payload);
}

/* What is sent again may take some seconds. */
static bool hears(int fd)
{
	char got[sizeof(payload)];

	for (int i = 0; i < PATIENCE && !loopback_wait(fd, POLLIN); i++)
		;
	return recv(fd, got, sizeof(got), MSG_DONTWAIT) == sizeof(got) &&
	       memcmp(got, payload, sizeof(got)) == 0;
}

static bool carries(int from, int to)
{
	return says(from) && hears(to);
}

/* The near socket rests and comes back where the far one, which knows nothing of it, is: once when
 * all is quiet, once when the far one has said something meanwhile, which is lost. */
static const char *try_seat(const struct loopback *connection)
{
	struct tcp_seat seat;
	struct tcp_place place = {.peer_window = WINDOW, .own_window = WINDOW};
	uint32_t acknowledged;

	if (!carries(connection->near, connection->far) ||
	    !carries(connection->far, connection->near))
		return "no bytes over loopback to try with";
	if (tcp_seat_read(connection->near, &seat))
		return "the kernel does not tell where a connection is";
	for (int lossy = 0; lossy < 2; lossy++) {
		if (tcp_position_taken(connection->near, &place.expected) ||
		    tcp_position_next(connection->near, &place.next, &acknowledged) ||
		    tcp_seat_clock(connection->near, &place.stamp))
			return "the kernel does not tell where a connection is";
		place.stamp += STAMP;
		if (tcp_seat_rest(connection->near, &seat, &place) ||
		    (lossy && !says(connection->far)) ||
		    tcp_seat_resume(connection->near, &seat, &place) ||
		    tcp_seat_wake(connection->near, &seat))
			return "the kernel does not put a socket to rest and back";
		if (lossy && !hears(connection->near))
			return "what a socket lost while it rested does not come again on this "
			       "kernel";
		if (!carries(connection->near, connection->far) ||
		    !carries(connection->far, connection->near))
			return "a socket that has rested carries nothing on this kernel";
	}
	return NULL;
}

static const char *try_socket(void)
{
	struct loopback connection = {-1, -1};
	const char *fault = "no connection over loopback to try with";

	if (!loopback_open(&connection, IPPROTO_TCP, IPPROTO_TCP, 0))
		fault = try_seat(&connection);
	loopback_close(&connection);
	return fault;
}

void packets_probe(struct packets *packets)
{
	const char *fault;

	if (!packets_worker_to_try(packets))
		return;
	fault = try_program(packets, false);
	if (!fault)
		fault = try_program(packets, true);
	if (!fault)
		fault = try_socket();
	packets_set_tried(packets, fault);
}
