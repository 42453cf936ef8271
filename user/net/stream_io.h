/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recv(2) and send(2) for where they are called most: no points at which a thread may be cancelled.
 * Nobody cancels ours, and glibc takes two atomic operations for each. */
#ifndef HAWSER_NET_STREAM_IO_H
#define HAWSER_NET_STREAM_IO_H

#include <stddef.h>
#include <sys/types.h>

/* Without waiting. As recv(2) and send(2) return, with errno; no signal. */
ssize_t stream_recv(int fd, void *bytes, size_t size);
ssize_t stream_send(int fd, const void *bytes, size_t len);

#endif
