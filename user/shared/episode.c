/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shared/episode.h"

#include <math.h>

#define QUIET_S 10.
/* So that an episode of a moment is one, too. */
#define SHORTEST_S 0.001

bool episode_goes_on(struct episode *episode, double now_s)
{
	bool begins;

	pthread_mutex_lock(&episode->lock);
	begins = episode->since_s == 0;
	if (begins)
		episode->since_s = now_s;
	episode->last_s = now_s;
	pthread_mutex_unlock(&episode->lock);
	return begins;
}

double episode_ends(struct episode *episode, double now_s)
{
	double length_s = 0;

	pthread_mutex_lock(&episode->lock);
	if (episode->since_s != 0 && now_s - episode->last_s >= QUIET_S) {
		length_s = fmax(episode->last_s - episode->since_s, SHORTEST_S);
		episode->since_s = 0;
	}
	pthread_mutex_unlock(&episode->lock);
	return length_s;
}

double episode_since_s(struct episode *episode)
{
	double since_s;

	pthread_mutex_lock(&episode->lock);
	since_s = episode->since_s;
	pthread_mutex_unlock(&episode->lock);
	return since_s;
}
