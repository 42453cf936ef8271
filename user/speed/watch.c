/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others move. Interfaces count headers, and whatever is sent again; the test knows what it
 * moved itself. */
#include "speed/watch.h"

#include "net/net_view.h"
#include "net/netlink.h"

/* At most so much more than its payload goes over an interface for the test. */
#define OVERHEAD 1.08
/* Less than this, and less than a tenth of what the test moves, is not looked at. */
#define LITTLE_PER_S 32000.
#define SMALL_SHARE  0.1
/* Who has less than this of what they had is hurt. */
#define HURT_SHARE 0.75
/* Who moves so much more, and as large a share of what the test moves, has joined. */
#define JOINED_PER_S 125000.
#define JOINED_SHARE 0.15
/* Others who move so much more once the test has stopped were held up by it. */
#define RECOVERED 1.15

void speed_watch_begin(struct speed_watch *watch)
{
	watch->next = watch->count = 0;
}

static bool is_watched(const struct speed_watch *watch, int device)
{
	for (size_t i = 0; i < watch->device_count; i++)
		if (watch->devices[i] == device)
			return true;
	return false;
}

void speed_watch_look(struct speed_watch *watch, double now_s, const uint64_t own[DIRECTIONS])
{
	struct speed_moved moved = {.s = now_s};
	struct net_view view = {0};

	if (watch->device_count == 0)
		return;
	if (!net_view_load_devices(&view, watch->netlink)) {
		for (size_t i = 0; i < view.device_count; i++) {
			if (!is_watched(watch, view.devices[i].index))
				continue;
			moved.line[UP] += (double)view.devices[i].tx_bytes;
			moved.line[DOWN] += (double)view.devices[i].rx_bytes;
		}
		for (enum direction d = UP; d < DIRECTIONS; d++)
			moved.own[d] = (double)own[d];
		watch->ring[watch->next] = moved;
		watch->next = (watch->next + 1) % SPEED_WATCH_SAMPLES;
		watch->count += watch->count < SPEED_WATCH_SAMPLES;
	}
	net_view_free(&view);
}

/* The n-th newest, from 1. */
static const struct speed_moved *sample(const struct speed_watch *watch, size_t n)
{
	return &watch->ring[(watch->next + SPEED_WATCH_SAMPLES - n) % SPEED_WATCH_SAMPLES];
}

static double at_least_0(double value)
{
	return value > 0 ? value : 0;
}

bool speed_watch_rate(const struct speed_watch *watch, double span_s,
		      struct speed_load out[DIRECTIONS])
{
	const struct speed_moved *last = sample(watch, 1);
	const struct speed_moved *first;
	size_t n = 1;
	double s;

	while (n < watch->count && last->s - sample(watch, n)->s < span_s)
		n++;
	first = sample(watch, n);
	s = last->s - first->s;
	/* Looks may be a little early. */
	if (watch->count < 2 || s < 0.9 * span_s)
		return false;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		const double line = (last->line[d] - first->line[d]) / s;
		const double own = at_least_0((last->own[d] - first->own[d]) / s);

		out[d] = (struct speed_load){
			.own = own,
			.others_least = at_least_0(line - OVERHEAD * own),
			.others_most = at_least_0(line - own),
		};
	}
	return true;
}

static bool is_hurt(const struct speed_load *now, double before)
{
	return before > LITTLE_PER_S && before > SMALL_SHARE * now->own &&
	       now->others_most < HURT_SHARE * before;
}

static bool has_joined(const struct speed_load *now, double before)
{
	return now->others_least > before + JOINED_PER_S &&
	       now->others_least > before + JOINED_SHARE * now->own;
}

enum speed_conflict speed_conflict(const struct speed_load now[DIRECTIONS],
				   const double before[DIRECTIONS], enum direction direction)
{
	if (is_hurt(&now[UP], before[UP]) || is_hurt(&now[DOWN], before[DOWN]))
		return SPEED_HURTS;
	return has_joined(&now[direction], before[direction]) ? SPEED_JOINED : SPEED_ALONE;
}

bool speed_recovered(const double now[DIRECTIONS], const struct speed_load then[DIRECTIONS])
{
	for (enum direction d = UP; d < DIRECTIONS; d++)
		if (now[d] > LITTLE_PER_S && now[d] > RECOVERED * then[d].others_most)
			return true;
	return false;
}
