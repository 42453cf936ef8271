/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets that this process was started with (LISTEN_FDS, sd_listen_fds(3)): of a socket
 * unit of systemd, or of the hawserd before. */
#ifndef HAWSER_DAEMON_INHERITED_H
#define HAWSER_DAEMON_INHERITED_H

#include <stddef.h>

#include "base/address.h"

#define INHERITED_FIRST_FD 3 /* SD_LISTEN_FDS_START */

/* How many descriptors this process was started with, from that one on; until inherited_take(). */
int inherited_number(void);

/* Once, before there are threads. What is no listening TCP socket is closed, with a warning. */
void inherited_take(void);

/* Moves those that listen on the address, port and all, to fds, size at most; the caller's. Returns
 * their number. */
size_t inherited_find(const union address *address, int *fds, size_t size);

/* Closes those that nobody wanted, with a warning. None is found any more. */
void inherited_close(void);

/* After that, when this process is sure to serve: has their keeper, who would have clients wait
 * there for ever, forget all of such an address. What is wanted of it is to be kept anew. */
void inherited_forget(void);

/* Tells the keeper of sockets, by a line of sd_notify(3) with %s for the name of the address. */
void inherited_tell(const char *format, const union address *address, const int *fds, size_t count)
	__attribute__((format(printf, 1, 0)));

#endif
