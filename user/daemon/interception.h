/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps interception in force as `hawser intercept up`, or the setting `up`, wants it: puts back
 * what others delete, and where it cannot, has the LAN routed and says so. The main thread's. */
#ifndef HAWSER_DAEMON_INTERCEPTION_H
#define HAWSER_DAEMON_INTERCEPTION_H

#include <stdbool.h>

struct config;
struct ev_loop;
struct interception;
struct json_object;
struct links;
struct heartbeat;

/* heartbeat and links (NULL: none) outlive it. control: the path on which this hawserd answers;
 * NULL: it does not, and then keeps nothing; awaited: until interception_has_control(). NULL when
 * out of memory. */
struct interception *interception_open(struct ev_loop *loop, struct heartbeat *heartbeat,
				       const struct links *links, const char *control,
				       bool awaited);

/* This hawserd answers on the path now, where another did; configure it then. */
void interception_has_control(struct interception *interception, const char *control);

/* From now on config, which is borrowed, holds; its listeners are open. */
void interception_configure(struct interception *interception, const struct config *config);

/* Looks after it no more, as another hawserd may. */
void interception_stop(struct interception *interception);

/* Has new connections routed, or no more, where rules do not ask for the heartbeat; what is taken
 * goes on. After interception_stop(). */
void interception_pause(struct interception *interception, bool paused);

/* Looks after it no more for good: what is in force is another hawserd's. */
void interception_leave(struct interception *interception);

/* Takes it down where the setting has brought it up. NULL is allowed. */
void interception_close(struct interception *interception);

/* {"wanted": true, "fault": "", "mend": "", "routed": false, "put_back": 2, "last": "...",
 * "last_age_s": 1.5}; the caller's. NULL: nothing is wanted. */
struct json_object *interception_report(const struct interception *interception);

#endif
