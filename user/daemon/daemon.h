/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's life: start, signals, stop. */
#ifndef HAWSER_DAEMON_DAEMON_H
#define HAWSER_DAEMON_DAEMON_H

struct config;
struct options;

/* Serves until a signal ends it. Takes over the reference of config; options are kept for reloads
 * and remain the caller's. 0, or -errno after logging. */
int daemon_run(const struct options *options, struct config *config);

#endif
