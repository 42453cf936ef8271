/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multipath TCP sockets: make them, ask them what they are. Facts about one fd, no policy. */
#ifndef HAWSER_NET_MPTCP_H
#define HAWSER_NET_MPTCP_H

#include <stdbool.h>

/* What a connection turned out to be. */
enum transport {
	TRANSPORT_NONE, /* not connected */
	TRANSPORT_TCP,
	TRANSPORT_MPTCP,
	TRANSPORT_FALLBACK, /* an MPTCP socket whose peer or path did not speak it */
	TRANSPORT_COUNT
};

/* A non-blocking close-on-exec stream socket: MPTCP (RFC 8684) if wanted and the kernel has it,
 * else TCP. fd or -errno. */
int mptcp_socket(int family, bool want_mptcp);

/* Of a connected socket. */
enum transport mptcp_transport(int fd);

/* Whether mptcp_transport() can tell MPTCP from a fallback on this kernel; else, before 5.16, it
 * takes both for a fallback. False also when no socket can be had to try it on. */
bool mptcp_tells_fallback(void);

/* Connected subflows, without those that are still being opened; 1 for TCP and after a fallback. */
unsigned int mptcp_subflows(int fd);

/* "none", "tcp", "mptcp", "fallback"; for output, stable. */
const char *transport_name(enum transport transport);

#endif
