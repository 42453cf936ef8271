/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says when the address of a listener comes and goes. The kernel does the rest: its sockets stay.
 */
#ifndef HAWSER_DAEMON_LISTEN_WATCH_H
#define HAWSER_DAEMON_LISTEN_WATCH_H

struct config;
struct ev_loop;
struct listen_watch;

/* NULL when out of memory. What the kernel refuses is no error: then nothing is said. */
struct listen_watch *listen_watch_open(struct ev_loop *loop);

/* From now on the listeners of config; how they are at this moment is not said. NULL:
 * none. */
void listen_watch_follow(struct listen_watch *watch, const struct config *config);

/* NULL does nothing. */
void listen_watch_close(struct listen_watch *watch);

#endif
