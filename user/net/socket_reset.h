/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one way to reset a connection, for the programs and for tests. */
#ifndef HAWSER_SOCKET_RESET_H
#define HAWSER_SOCKET_RESET_H

/* Closes a TCP or MPTCP socket with a reset (RFC 9293 section 3.10.7.1; on MPTCP a fastclose, RFC
 * 8684 section 3.5), so that the peer cannot take a cut stream for a whole one. What is unread,
 * unsent or unacknowledged is thrown away; a stream that has ended in order stays ended; one in a
 * sockmap leaves it. */
void socket_reset(int fd);

#endif
