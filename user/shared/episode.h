/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Something that happens again and again for a while, and is told when it begins and when it is
 * over. Any thread; all times are of clock_monotonic_s(). */
#ifndef HAWSER_SHARED_EPISODE_H
#define HAWSER_SHARED_EPISODE_H

#include <pthread.h>
#include <stdbool.h>

/* There is none at the start; nothing is to be freed. */
#define EPISODE_INITIALIZER                                                                        \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}

struct episode {
	pthread_mutex_t lock; /* of the next two */
	double since_s;	      /* 0: none */
	double last_s;
};

/* It happens. Returns whether this begins an episode. */
bool episode_goes_on(struct episode *episode, double now_s);

/* It does not happen, where it might have. Once that is so for 10 s, the episode is over: returns
 * how long it was, from first to last. Else 0. */
double episode_ends(struct episode *episode, double now_s);

/* Since when there is one; 0: there is none. */
double episode_since_s(struct episode *episode);

#endif
