/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this kernel holds MPTCP back: once SYNs with it were lost on the way to anyone, it makes
 * all MPTCP sockets connect as plain TCP for net.mptcp.blackhole_timeout (since 6.12), which looks
 * like a fallback of the peer. */
#ifndef HAWSER_NET_MPTCP_BLACKHOLE_H
#define HAWSER_NET_MPTCP_BLACKHOLE_H

#include <stdbool.h>
#include <stdint.h>

/* One worker's. */
struct mptcp_blackhole {
	uint64_t held_back; /* connections of this network namespace, when last looked */
	double until_s;	    /* taken for paused until then */
};

void mptcp_blackhole_init(struct mptcp_blackhole *pause);

/* To be asked when an MPTCP socket has connected as a fallback: whether that may be for a pause.
 * Reads /proc, some 50 microseconds. now_s is of any one clock. */
bool mptcp_blackhole_likely(struct mptcp_blackhole *pause, double now_s);

#endif
