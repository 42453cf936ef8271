/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts a connected TCP socket at another place of its two streams, without a packet that says so
 * (TCP_REPAIR). Needs CAP_NET_ADMIN. */
#ifndef HAWSER_ACCEL_TCP_SEAT_H
#define HAWSER_ACCEL_TCP_SEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

/* What stays as the two ends agreed on it. */
struct tcp_seat {
	union address own; /* of the socket's family: IPv4 may be mapped into IPv6 */
	union address peer;
	uint32_t segment_bytes; /* that the peer takes */
	uint8_t own_scale;	/* of windows; 0 both: none */
	uint8_t peer_scale;
	bool scales;
	bool selective; /* acknowledgements */
	bool stamps;
	bool ecn;
	bool reuse;	  /* SO_REUSEADDR */
	bool alive;	  /* SO_KEEPALIVE */
	bool transparent; /* IP_TRANSPARENT: own may be an address of others */
};

/* Where in the streams; sequence numbers in host byte order. */
struct tcp_place {
	uint32_t expected;    /* the peer's next byte */
	uint32_t next;	      /* our next byte; the peer has acknowledged all before */
	uint32_t stamp;	      /* our clock */
	uint32_t peer_window; /* bytes */
	uint32_t own_window;
};

/* What was agreed on. -EOPNOTSUPP: something that could not be given back. 0 or -errno. */
int tcp_seat_read(int fd, struct tcp_seat *seat);

/* The socket keeps ports and addresses, and neither sends nor heeds anything, not even when it is
 * closed. What it held of either stream is gone. 0 or -errno; after an error, and if only of the
 * last step, it is closed. */
int tcp_seat_rest(int fd, const struct tcp_seat *seat, const struct tcp_place *last);

/* It is connected again, at this place, and heeds the peer, but says nothing by itself before
 * tcp_seat_wake(). Errors as above. */
int tcp_seat_resume(int fd, const struct tcp_seat *seat, const struct tcp_place *place);

/* After that. It asks the peer for its window; a peer that is gone answers with a reset. Errors as
 * above. */
int tcp_seat_wake(int fd, const struct tcp_seat *seat);

/* After how many seconds of silence keepalives would find its peer dead. */
double tcp_seat_patience_s(int fd);

/* Of our time stamps on this socket now. 0 or -errno. */
int tcp_seat_clock(int fd, uint32_t *stamp);

#endif
