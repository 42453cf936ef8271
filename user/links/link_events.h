/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells, unasked, of interfaces, addresses, rules and default routes, our own among
 * them. Main thread only. */
#ifndef HAWSER_LINKS_LINK_EVENTS_H
#define HAWSER_LINKS_LINK_EVENTS_H

struct ev_loop;
struct link_events;

struct link_events_listener {
	/* The interface went down, or an address of it went: the kernel drops routes with them. */
	void (*shaken)(void *context, int device);
	/* After all of what came at once: the picture may be another. */
	void (*changed)(void *context);
	void *context;
};

/* NULL with errno set. listener is copied. */
struct link_events *link_events_open(struct ev_loop *loop,
				     const struct link_events_listener *listener);
void link_events_close(struct link_events *events); /* NULL is allowed */

#endif
