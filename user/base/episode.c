/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/episode.h"

#define QUIET_S 10.
/* So that an episode of a moment is one, too. */
#define SHORTEST_S 0.001

bool episode_goes_on(struct episode *episode, double now_s)
{
	const bool begins = episode->since_s == 0;

	if (begins)
		episode->since_s = now_s;
	episode->last_s = now_s;
	return begins;
}

double episode_ends(struct episode *episode, double now_s)
{
	double length_s;

	if (episode->since_s == 0 || now_s - episode->last_s < QUIET_S)
		return 0;
	length_s = episode->last_s - episode->since_s;
	episode->since_s = 0;
	return length_s > SHORTEST_S ? length_s : SHORTEST_S;
}
