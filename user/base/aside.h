/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What waits for a disk, in a thread of its own: fsync(2) takes seconds on some flash, and the loop
 * has links to look after. One piece of work at a time. */
#ifndef HAWSER_BASE_ASIDE_H
#define HAWSER_BASE_ASIDE_H

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>

struct aside {
	struct ev_loop *loop;
	ev_async over; /* data is the owner */
	pthread_t thread;
	bool runs;
	void (*work)(void *owner);
	void (*done)(void *owner);
};

/* work(): in the thread, and nobody else may touch what it touches. done(): after it, in the loop's
 * thread; it may start the next piece. */
void aside_init(struct aside *aside, struct ev_loop *loop, void (*work)(void *owner),
		void (*done)(void *owner), void *owner);

/* While it does not run. Where there can be no thread, the loop waits. */
void aside_start(struct aside *aside);

/* Waits until nothing runs any more, what done() starts included. */
void aside_wait(struct aside *aside);

#endif
