/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the packets of a pair can be forwarded, and where its two connections are. */
#ifndef HAWSER_ACCEL_PACKETS_LEARN_H
#define HAWSER_ACCEL_PACKETS_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#include "accel/packets.h"
#include "accel/tcp_seat.h"
#include "base/address.h"
#include "base/direction.h"

/* A connection of the pair; the fd is the caller's. */
struct packets_end {
	int fd;
	struct tcp_seat seat;
	union address own; /* IPv4 never mapped into IPv6 */
	union address peer;
	uint32_t copied;  /* the peer's next byte, less those of the direction so far */
	uint32_t written; /* our next byte, less those of the direction to it so far */
	uint32_t clock;	  /* our time stamps, less CLOCK_MONOTONIC in ms */
	uint64_t before;  /* bytes from the peer that were forwarded before it was armed last */
	uint64_t since;	  /* its acked when it was */
	uint64_t acked;	  /* the same when it was taken back last */
	uint64_t counted; /* bytes from the peer, by packets_pair_take_count() */
	bool told;	  /* that its stream has ended */
	uint32_t astray;  /* the leg's when the way was looked at last */
	uint32_t strays;  /* segments that have come to the resting socket before */
	double asked_s;	  /* when that was last looked at */
};

/* Describes both connections, of whose sockets only fd is known, for the program: *shared, zeroed,
 * but for its word. So many bytes have been taken from either socket and given to the other. NULL,
 * or why that cannot be, a literal, and errno set; EAGAIN: just now. */
const char *packets_learn(struct packets_worker *worker, struct packets_end ends[DIRECTIONS],
			  const uint64_t bytes[DIRECTIONS], struct hawser_packets_pair *shared);

/* Whether nothing waits to be read, not even the end of a stream. To be asked once, when the
 * program has seen packets of both: what came before it saw any is known to nobody else. */
bool packets_ends_are_clear(const struct packets_end ends[DIRECTIONS]);

/* A reason why one TCP would do worse than two, a literal; NULL: none is known. */
const char *packets_ends_differ(const struct packets_end ends[DIRECTIONS]);

/* What the clocks of ends are counted from. */
uint32_t packets_now_ms(void);

#endif
