/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection over loopback, to find out by trying what the kernel does. */
#ifndef HAWSER_LOOPBACK_H
#define HAWSER_LOOPBACK_H

#include <stdbool.h>

struct loopback {
	int near; /* accepted, as a client's socket is; -1: closed, like the next */
	int far;
};

/* The protocols of the listener and of far: IPPROTO_TCP or IPPROTO_MPTCP, which falls back where
 * the other is TCP. small_bytes: of the sending buffer of near and the receiving one of far; 0:
 * leave them. 0 or -errno; close it in any case. */
int loopback_open(struct loopback *connection, int listener_protocol, int far_protocol,
		  int small_bytes);
void loopback_close(struct loopback *connection);

/* Whether the events of poll(2) come within a second; a loopback needs microseconds. */
bool loopback_wait(int fd, short events);

#endif
