/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's events about what interception rests on. Reads; decides nothing. */
#ifndef HAWSER_INTERCEPT_WATCH_H
#define HAWSER_INTERCEPT_WATCH_H

#include <stdbool.h>

struct intercept_watch;

enum { INTERCEPT_WATCH_FDS = 2 };

struct intercept_events {
	bool table;    /* something in our nftables table, other than what hawserd adds to it */
	bool firewall; /* chains or rules of others */
	bool route;    /* a routing rule, or a route of our table */
	bool lost;     /* there were more than can be read: any of these, and perhaps none */
};

/* NULL with errno set. A kernel without nftables has no events of it. */
struct intercept_watch *intercept_watch_open(void);
void intercept_watch_close(struct intercept_watch *watch); /* NULL is allowed */

/* To be waited for; -1: none. */
void intercept_watch_fds(const struct intercept_watch *watch, int out[INTERCEPT_WATCH_FDS]);

/* Reads all that is there, and adds to out. */
void intercept_watch_read(struct intercept_watch *watch, struct intercept_events *out);

#endif
