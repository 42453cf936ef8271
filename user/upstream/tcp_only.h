/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Remembers the destinations (address and port) that did not speak MPTCP, so that the next dial is
 * plain TCP. Bounded, forgets with time, lets one in so many dials try MPTCP. Dials nothing. */
#ifndef HAWSER_UPSTREAM_TCP_ONLY_H
#define HAWSER_UPSTREAM_TCP_ONLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "config/config.h"
#include "net/mptcp.h"

/* One worker's; only that worker's thread uses it. */
struct tcp_only;

/* All but remembered are counts since the table was made. */
struct tcp_only_counts {
	uint64_t remembered; /* destinations, now */
	uint64_t tcp_dials;  /* asked for as plain TCP, because of the memory */
	uint64_t retries;    /* of MPTCP to a remembered destination */
	uint64_t learnt;     /* destinations forgotten because they now speak MPTCP */
};

/* Times are seconds of one clock. Where it is set, entries expire early or late by as much at most.
 */

/* NULL when out of memory. */
struct tcp_only *tcp_only_open(void);
void tcp_only_close(struct tcp_only *memory); /* NULL does nothing */

/* How to dial to next, an IP address and a port: true for plain TCP, false for MPTCP. Counts as a
 * dial. */
bool tcp_only_choose(struct tcp_only *memory, const union address *to,
		     const struct tcp_only_config *config, double now_s);

/* What a dial to that was to be MPTCP became: TRANSPORT_FALLBACK is remembered from now on, at the
 * cost of the oldest entry when there is no room; TRANSPORT_MPTCP is forgotten; others change
 * nothing. Returns whether it was remembered, again or for the first time, or forgotten. */
bool tcp_only_note(struct tcp_only *memory, const union address *to, enum transport became,
		   double now_s);

/* Drops what has expired first. */
struct tcp_only_counts tcp_only_count(struct tcp_only *memory, const struct tcp_only_config *config,
				      double now_s);

#endif
