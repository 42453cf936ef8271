/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capabilities that hawserd keeps (capabilities(7)): what its configuration needs, of those
 * that it was given. */
#ifndef HAWSER_DAEMON_PRIVILEGES_H
#define HAWSER_DAEMON_PRIVILEGES_H

struct config;

/* Gives up all others for good, also for programs that it may start (no_new_privs). Before other
 * threads are made: each thread has its own. Says what is kept. 0 or -errno. */
int privileges_drop(const struct config *config);

/* After a reload: warns of each capability that the new configuration needs and that was given up,
 * but of none that this process was not given. */
void privileges_check(const struct config *config);

#endif
