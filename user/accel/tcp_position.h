/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Positions in the two streams of a connected socket, as its kernel counts them. Facts about one
 * fd, no policy. */
#ifndef HAWSER_ACCEL_TCP_POSITION_H
#define HAWSER_ACCEL_TCP_POSITION_H

#include <stdbool.h>
#include <stdint.h>

/* Of a TCP socket: the sequence number of the first byte that it has received or will. Asked by
 * TCP_REPAIR, so nobody may be sending on the socket meanwhile, not even the kernel for a flow
 * parked there. Needs CAP_NET_ADMIN. 0, -EAGAIN if too much is arriving, or another -errno. */
int tcp_position_origin(int fd, uint32_t *origin);

/* Of a TCP socket: the bytes that recv() has brought, ever, and those that wait for it. For a
 * socket that is in no map of sources. 0, -EAGAIN if too much is arriving, or another -errno. */
int tcp_position_read(int fd, uint64_t *taken, uint32_t *waiting);

/* Of a TCP socket that has never been in a map: the sequence number of the byte that recv() brings
 * next. Takes no error from the socket. 0, -EAGAIN as above, or another -errno. */
int tcp_position_taken(int fd, uint32_t *seq);

/* Of a TCP socket: the sequence number of the byte that is written to it next, and that up to which
 * the peer has acknowledged all, or a little more by now. Asked as above. 0, -EAGAIN while
 * something waits to be sent for the first time, or another -errno. */
int tcp_position_next(int fd, uint32_t *next, uint32_t *acknowledged);

/* Whether a TCP socket that has never been in a map holds nothing to be read, not even the end of
 * the stream, and has not ended its own. */
bool tcp_position_is_clear(int fd);

enum tcp_position_error {
	TCP_POSITION_EXACT,   /* or -EAGAIN, if acknowledgements come too fast */
	TCP_POSITION_AT_MOST, /* never more than the truth, at times less; cheaper */
};

/* Bytes that the socket's own send buffer has ever taken, from some origin. mptcp: it is an MPTCP
 * socket that has not fallen back. 0 or -errno. */
int tcp_position_written(int fd, bool mptcp, enum tcp_position_error error, uint64_t *written);

/* Bytes that the peer has acknowledged, ever, from some origin; the end of the stream counts as
 * one. mptcp: as above. 0 or -errno. */
int tcp_position_acknowledged(int fd, bool mptcp, uint64_t *acknowledged);

#endif
