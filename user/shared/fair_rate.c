/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shared/fair_rate.h"

/* What was not used of the rate lately may be used at once. As long a flow waits at most before it
 * looks whether those ahead of it have used their turns. */
#define BURST_S 0.1

/* A turn takes so much time of the rate: who comes next waits no longer. */
#define TURN_S	       0.01
#define TURN_BYTES_MIN 1024
#define TURN_BYTES_MAX (256 << 10)

/* Timers are not finer, and late by so much: whose turn it is keeps it for as long. */
#define WAIT_MIN_S 0.001
#define LATE_S	   0.005

void fair_rate_init(struct fair_rate *fair)
{
	*fair = (struct fair_rate){.waiting = NULL};
	pthread_mutex_init(&fair->lock, NULL);
}

void fair_rate_fini(struct fair_rate *fair)
{
	pthread_mutex_destroy(&fair->lock);
}

static size_t turn_bytes(uint64_t rate)
{
	const uint64_t bytes = (uint64_t)((double)rate * TURN_S);

	if (bytes < TURN_BYTES_MIN)
		return TURN_BYTES_MIN;
	return bytes < TURN_BYTES_MAX ? (size_t)bytes : TURN_BYTES_MAX;
}

static void enter_line(struct fair_rate *fair, struct fair_share *share)
{
	struct fair_share **link = &fair->waiting;

	share->start = share->finish > fair->now ? share->finish : fair->now;
	/* All who begin where the last one did have the same claim: first who will be done first.
	 */
	share->end = share->start + share->used;
	while (*link && (*link)->end <= share->end)
		link = &(*link)->next;
	share->next = *link;
	share->link = link;
	if (share->next)
		share->next->link = &share->next;
	*link = share;
	share->waiting = true;
}

static void leave_line(struct fair_share *share)
{
	if (!share->waiting)
		return;
	*share->link = share->next;
	if (share->next)
		share->next->link = share->link;
	share->waiting = false;
}

/* How long those ahead will take, if they take as much as the last time. */
static double ahead_s(const struct fair_rate *fair, const struct fair_share *share, uint64_t rate)
{
	uint64_t bytes = 0;

	if (fair->waiting == share)
		return 0;

	for (const struct fair_share *ahead = fair->waiting; ahead != share; ahead = ahead->next)
		bytes += ahead->used;
	return LATE_S + (double)bytes / (double)rate;
}

static void grant(struct fair_rate *fair, struct fair_share *share, uint64_t rate)
{
	leave_line(share);
	if (share->start > fair->now)
		fair->now = share->start;
	share->granted = turn_bytes(rate);
	share->finish = share->start + share->granted;
	fair->paid_s += (double)share->granted / (double)rate;
}

double fair_rate_ask(struct fair_rate *fair, struct fair_share *share, uint64_t rate, double now_s,
		     size_t *bytes)
{
	double wait_s;

	pthread_mutex_lock(&fair->lock);
	if (fair->paid_s < now_s - BURST_S)
		fair->paid_s = now_s - BURST_S;
	if (!share->waiting)
		enter_line(fair, share);
	wait_s = fair->paid_s + ahead_s(fair, share, rate) - now_s;
	if (wait_s <= 0)
		grant(fair, share, rate);
	pthread_mutex_unlock(&fair->lock);
	*bytes = share->granted;
	if (wait_s <= 0)
		return 0;
	if (wait_s < WAIT_MIN_S)
		return WAIT_MIN_S;
	return wait_s < BURST_S ? wait_s : BURST_S;
}

void fair_rate_settle(struct fair_rate *fair, struct fair_share *share, uint64_t rate, size_t used)
{
	pthread_mutex_lock(&fair->lock);
	fair->paid_s -= ((double)share->granted - (double)used) / (double)rate;
	share->finish = share->start + used;
	share->used = used;
	pthread_mutex_unlock(&fair->lock);
}

void fair_rate_leave(struct fair_rate *fair, struct fair_share *share)
{
	pthread_mutex_lock(&fair->lock);
	leave_line(share);
	pthread_mutex_unlock(&fair->lock);
}
