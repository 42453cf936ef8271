/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A speed test as it goes: what is measured, in which order, in a thread of its own. */
#ifndef HAWSER_SPEED_RUN_H
#define HAWSER_SPEED_RUN_H

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "links/link_choice.h"
#include "speed/figures.h"

struct config;
struct exit_config;

/* What is to be measured; the rows of the result are in the same order. */
struct speed_subject {
	bool together;
	struct link_choice link; /* else */
};

struct speed_plan {
	const struct config *config; /* with a reference */
	const struct exit_config *exit;
	unsigned int seconds;	     /* of each measurement */
	uint64_t test;		     /* struct speed_request */
	struct link_choices choices; /* for all together */
	struct speed_subject subjects[LINKS_MAX + 1];
};

/* Of the thread, read by the main thread; behind the lock. */
struct speed_progress {
	double done; /* 0 to 1 */
	char doing[96];
	double bytes_per_s; /* now */
	struct speed_result result;
};

struct speed_run {
	struct speed_plan plan;
	pthread_mutex_t lock;
	struct speed_progress progress;
	atomic_bool stop;
	atomic_bool over;
	struct ev_loop *main_loop;
	ev_async *ended; /* of the main loop: sent when the thread has nothing more to do */
	struct ev_loop *loop;
	ev_async wake;
	pthread_t thread;
};

/* The thread. It looks at plan, and fills in the rows of progress.result that are not skipped. */
void *speed_run_thread(void *run);

#endif
