/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens one listening socket, or says why not. */
#ifndef HAWSER_DAEMON_LISTEN_OPEN_H
#define HAWSER_DAEMON_LISTEN_OPEN_H

#include <stdbool.h>

#include "config/config.h"

/* Judges whether this host has the address. Where nobody asked for it (a default), it is done
 * without, after a warning. */
enum listen_address {
	LISTEN_ADDRESS_HERE,
	LISTEN_ADDRESS_AWAITED, /* warned: clients are served as soon as an interface has it */
	LISTEN_ADDRESS_NEVER,	/* warned: a default of a family that the kernel does not have */
	LISTEN_ADDRESS_OFF,	/* logged as an error: IPv6 is switched off on this host */
};
enum listen_address listen_address_judge(const struct listen_config *listen);

/* SO_REUSEPORT would let a second hawserd take half of the first one's clients unnoticed. A socket
 * without it is refused where anybody listens, and listens nowhere. 0 or -errno. */
int listen_check_free(const struct listen_config *listen);

/* With SO_REUSEPORT. The fd or -errno. */
int listen_open(const struct listen_config *listen, const struct tune *tune);

/* Makes one that this process was started with what listen_open() would have made of it, but plain
 * TCP stays what it is. 0 or -errno. */
int listen_adopt(int fd, const struct listen_config *listen, const struct tune *tune);

/* Logs, and returns err. */
int listen_complain(const struct listen_config *listen, int err);

#endif
