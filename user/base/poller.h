/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks again and again at what no event tells of, ever more rarely, and altogether no more often
 * than so many times a second, however many wait. One per worker. */
#ifndef HAWSER_BASE_POLLER_H
#define HAWSER_BASE_POLLER_H

#include <ev.h>

struct poller {
	struct ev_loop *loop;
	unsigned int active;
};

/* May start or stop any watch, also free its own. */
typedef void poll_fn(void *owner);

/* Embedded in whoever looks; zeroed before the first use. */
struct poll_watch {
	ev_timer timer;
	struct poller *poller; /* NULL: not active */
	double interval_s;
	ev_tstamp since; /* when it was started */
	poll_fn *look;
	void *owner;
};

void poller_init(struct poller *poller, struct ev_loop *loop);

/* The first look is first_s from now (0: when the loop comes to it), each later one after twice as
 * long as the one before, up to a second, or longer where many wait. Both are idempotent. The watch
 * must not move while active. */
void poller_start(struct poller *poller, struct poll_watch *watch, double first_s, poll_fn *look,
		  void *owner);
void poller_stop(struct poll_watch *watch);

#endif
