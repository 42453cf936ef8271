/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One timer per worker that calls all who want to look regularly instead of being woken. */
#ifndef HAWSER_RELAY_TICK_H
#define HAWSER_RELAY_TICK_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct tick_watch;

/* May start or stop any watch, also free its own. */
typedef void tick_fn(void *owner);

struct ticker {
	struct ev_loop *loop;
	int timer_fd;
	ev_io io;
	uint32_t period_us;	 /* of the running timer; 0: stopped */
	struct tick_watch *list; /* doubly linked, in no order */
	struct tick_watch *next; /* to be called next, while calling */
};

/* Embedded in whoever is called. */
struct tick_watch {
	tick_fn *tick;
	void *owner;
	uint32_t interval_us; /* wanted; may be changed at any time, holds from the next tick on */
	uint32_t waited_us;
	bool active;
	struct tick_watch *next_watch;
	struct tick_watch **link;
};

/* 0 or -errno. */
int tick_init(struct ticker *ticker, struct ev_loop *loop);
void tick_fini(struct ticker *ticker);

/* Both are idempotent. The watch must not move while active. */
void tick_start(struct ticker *ticker, struct tick_watch *watch, uint32_t interval_us,
		tick_fn *tick, void *owner);
void tick_stop(struct ticker *ticker, struct tick_watch *watch);

#endif
