/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "links/portal_verdict.h"

/* One answer may be a stray. */
#define CLOSED_ROUNDS 2
#define AGAIN_S	      1.

/* While there is none: soon after the link came, as a portal may need a moment, and later rarely,
 * since a log-in may run out. */
#define CALM_MIN_S 5.
#define CALM_MAX_S 300.

/* While there is a doubt, as an exit cannot be reached. */
#define DOUBT_MIN_S 10.

/* Behind a portal: while somebody is at it, and else. */
#define BUSY_S		1.
#define BUSY_FOR_S	60.
#define FOUND_S		10.
#define FOUND_METERED_S 30.

/* A portal that says nothing any more: where nothing can show that the way is open, that alone has
 * to. Else it is for others to say what is wrong. */
#define NOTHING_ROUNDS 2
#define NOTHING_S      30.

static double double_up(double value, double least, double most)
{
	value = value < least ? least : value * 2;
	return value < most ? value : most;
}

void portal_verdict_ask(struct portal_verdict *verdict, double now_s)
{
	verdict->asked_s = now_s;
}

static bool is_over(const struct portal_verdict *verdict, const struct portal_round *round,
		    double now_s)
{
	if (round->proven || round->word == PORTAL_OPEN)
		return true;
	if (verdict->nothing == 0)
		return false;
	return round->provable ? now_s - verdict->nothing_s >= NOTHING_S
			       : verdict->nothing >= NOTHING_ROUNDS;
}

bool portal_verdict_take(struct portal_verdict *verdict, const struct portal_round *round,
			 double now_s)
{
	const bool was = verdict->found;
	const bool closed = round->word == PORTAL_CLOSED && !round->proven;

	verdict->closed = closed ? verdict->closed + 1 : 0;
	if (was && round->word == PORTAL_NOTHING && verdict->nothing++ == 0)
		verdict->nothing_s = now_s;
	if (round->word != PORTAL_NOTHING)
		verdict->nothing = 0;
	if (!was && verdict->closed >= CLOSED_ROUNDS && !round->unasked) {
		verdict->found = true;
		verdict->found_s = now_s;
		verdict->nothing = 0;
	} else if (was && is_over(verdict, round, now_s)) {
		verdict->found = false;
		verdict->calm_s = 0;
	}
	if (!verdict->found && !closed)
		verdict->calm_s = double_up(verdict->calm_s, CALM_MIN_S, CALM_MAX_S);
	return verdict->found != was;
}

double portal_verdict_wait_s(const struct portal_verdict *verdict, bool metered, double now_s)
{
	if (!verdict->found)
		return verdict->closed > 0 ? AGAIN_S : verdict->calm_s;
	if (now_s - verdict->found_s < BUSY_FOR_S ||
	    (verdict->guest_s > 0 && now_s - verdict->guest_s < BUSY_FOR_S))
		return BUSY_S;
	return metered ? FOUND_METERED_S : FOUND_S;
}

bool portal_verdict_needs_proof(const struct portal_verdict *verdict)
{
	return verdict->found || verdict->closed > 0;
}

bool portal_verdict_doubt(struct portal_verdict *verdict, double now_s)
{
	/* The last one was over long ago. */
	if (now_s - verdict->doubted_s > CALM_MAX_S)
		verdict->doubt_s = 0;
	verdict->doubted_s = now_s;
	if (verdict->found || verdict->closed > 0 ||
	    now_s - verdict->asked_s < (verdict->doubt_s > 0 ? verdict->doubt_s : DOUBT_MIN_S))
		return false;
	verdict->doubt_s = double_up(verdict->doubt_s, DOUBT_MIN_S, CALM_MAX_S);
	return true;
}
