/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options and ends of one stream socket, the same for TCP and MPTCP. */
#ifndef HAWSER_SOCKET_H
#define HAWSER_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "tune.h"

/* What every relayed socket gets once it is connected: no Nagle delay, urgent data in line,
 * keepalive, a bound on unsent bytes. Options that an older kernel lacks are left out. */
void socket_prepare(int fd, const struct tune *tune);

/* Takes and clears the pending error (SO_ERROR): 0 or a positive errno. */
int socket_error(int fd);

/* Whether a connected socket's peer is a listener of this host bound to listening. */
bool socket_reaches(int fd, const union address *listening);

/* The local address; AF_UNSPEC if there is none. */
void socket_local_address(int fd, union address *out);

/* Smoothed round-trip time in microseconds by TCP_INFO; 0 if unknown. */
uint32_t socket_rtt_us(int fd);

/* As seen from the receiving end: the larger of the above and the receiver's own estimate, since
 * who only receives has nothing acknowledged to measure by. Microseconds; 0 if unknown. */
uint32_t socket_receive_rtt_us(int fd);

/* Bytes of the stream that TCP has received, read or not, by TCP_INFO; its end may count as one. 0
 * if unknown. Of the first subflow only, so of no use while MPTCP is spoken. */
uint64_t socket_received_bytes(int fd);

/* For an MPTCP socket this holds for all its subflows. 0 or -errno. */
int socket_set_congestion(int fd, const char *name);

/* Closes with a reset (RFC 9293 section 3.10.7.1; on MPTCP a fastclose, RFC 8684 section 3.5), so
 * that the peer cannot take a cut stream for a whole one. */
void socket_reset(int fd);

#endif
