/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening sockets: one per address and worker (SO_REUSEPORT), or one that all workers accept
 * from, where a transparent listener must not share its port, or the main thread, for metrics.
 * Opens them, hands them over from one configuration to the next, accepts nothing. */
#ifndef HAWSER_DAEMON_LISTEN_SET_H
#define HAWSER_DAEMON_LISTEN_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* fds[i * workers + w] listens on config->listen[i] for worker w; -1 where this host cannot have
 * what is only a default. */
struct listen_set {
	union address *addresses;
	bool *transparent;
	bool *metrics;
	int *fds;
	size_t count; /* of addresses */
	size_t workers;
};

/* Opens what config names, taking over from old (may be NULL) what listens there already, so that
 * no waiting connection is lost, but where it turns from metrics into a proxy or back. On success
 * old keeps only what the new set does not use. On failure an error has been logged and old is as
 * it was. 0 or -errno. */
int listen_set_open(struct listen_set *set, const struct config *config, size_t workers,
		    struct listen_set *old);

/* Has whoever manages this process keep the sockets for the hawserd after it, or no more: then
 * nobody waits in the backlog of one that is closed. */
void listen_set_keep(const struct listen_set *set);
void listen_set_forget(const struct listen_set *set);

/* Closes all that is still in the set. */
void listen_set_close(struct listen_set *set);

#endif
