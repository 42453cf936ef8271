/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The speed test of this router: one at a time, and the last one's result. Main thread only. */
#ifndef HAWSER_SPEED_SPEED_H
#define HAWSER_SPEED_SPEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "speed/plan.h"

struct ev_loop;
struct links;
struct speed;

struct speed_view {
	uint64_t id; /* of the test that runs, or ran last; 0: none */
	bool running;
	double done; /* 0 to 1, as the two below while it runs */
	char doing[96];
	double bytes_per_s;
	uint64_t bytes;			 /* of payload, that it has moved */
	const struct speed_result *last; /* NULL: there is none yet */
};

/* NULL without memory. */
struct speed *speed_open(struct ev_loop *loop);

/* Ends a test that runs. NULL is allowed. */
void speed_close(struct speed *speed);

/* 0, with the test's number in *id; or -errno, with why in said. links may be NULL. */
int speed_start(struct speed *speed, const struct config *config, struct links *links,
		const struct speed_order *order, uint64_t *id, char said[SPEED_SAID_MAX]);

/* What links are now: a test ends when the quota of one that it fills does. NULL is allowed. */
void speed_take_links(struct speed *speed, const struct link_choices *choices);

/* Who asked for it still wants it. */
void speed_renew(struct speed *speed, uint64_t id);

/* id: of a test, 0: whichever. False: it does not run. */
bool speed_stop(struct speed *speed, uint64_t id, const char *why);

void speed_look(struct speed *speed, struct speed_view *out);

#endif
