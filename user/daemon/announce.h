/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the log says at the start: where hawserd listens, its exits, what the kernel offers. */
#ifndef HAWSER_DAEMON_ANNOUNCE_H
#define HAWSER_DAEMON_ANNOUNCE_H

struct packets;
struct sockmap;
struct config;
struct local;

/* local may be NULL. */
void announce(const struct config *config, const struct sockmap *sockmap,
	      const struct packets *packets, const struct local *local);

#endif
