/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What requests and answers tell of the path that they take. */
#include "links/probe_verdict.h"

#include "links/link_news.h"

/* After one request had no answer, and while the path is out. */
#define DOUBT_S 0.25
#define OUT_S	0.5
/* How long a sign from the sessions holds; they are given every 0.04 s. */
#define SIGN_S 0.15
/* Later than that of the longest round trip of late. */
#define LATE 1.25
/* Beyond that, as an answer may wait to be read. Of several ways that are lost at once, the first
 * to be found out is so more than a busy path's pause between requests and this after the last
 * one's. */
#define LATE_S	0.01
#define MOVED_S 1.
/* So many requests in a row. */
#define LOST_MIN 3
/* Answers in a row for the return: twice as many if it was out less than BRIEF_S ago. */
#define ANSWERS_MIN 4
#define ANSWERS_MAX 64
#define BRIEF_S	    60.

uint16_t probe_verdict_send(struct probe_verdict *verdict, double now)
{
	verdict->sent[++verdict->sequence % PROBE_RING] = now;
	verdict->counted[verdict->sequence % PROBE_RING] = verdict->known;
	verdict->requests += verdict->known;
	if (verdict->lost++ == 0)
		verdict->lost_since = now;
	return verdict->sequence;
}

void probe_verdict_take(struct probe_verdict *verdict, uint16_t sequence, double now)
{
	const uint16_t age = (uint16_t)(verdict->sequence - sequence);
	double rtt_s;

	if (age >= PROBE_RING)
		return;
	verdict->replies += verdict->counted[sequence % PROBE_RING];
	verdict->counted[sequence % PROBE_RING] = false;
	rtt_s = now - verdict->sent[sequence % PROBE_RING];
	verdict->known = true;
	verdict->answered = now;
	verdict->last_rtt_s = rtt_s;
	verdict->rtt_s =
		rtt_s > verdict->rtt_s ? rtt_s : verdict->rtt_s + (rtt_s - verdict->rtt_s) / 16;
	if (age >= verdict->lost)
		return; /* overtaken by the answer to a later one */
	verdict->lost = age;
	if (age > 0)
		verdict->lost_since = verdict->sent[(sequence + 1) % PROBE_RING];
	verdict->answers++;
}

void probe_verdict_sign(struct probe_verdict *verdict, const struct link_signs *signs, uint32_t bit,
			double now)
{
	verdict->moving = signs->moving & bit ? now : verdict->moving;
	verdict->alive = signs->alive & bit ? now : verdict->alive;
	verdict->silent = signs->silent & bit ? now : verdict->silent;
}

bool probe_verdict_is_busy(const struct probe_verdict *verdict, double now)
{
	return now - verdict->moving < MOVED_S;
}

static bool is_lost(const struct probe_verdict *verdict, const struct probe_patience *patience,
		    double now)
{
	const double waited_s = now - verdict->lost_since;

	if (!(verdict->known || patience->strict) || verdict->lost < LOST_MIN ||
	    now - verdict->alive < SIGN_S / 2)
		return false;
	if (now - verdict->silent < SIGN_S && waited_s > verdict->rtt_s * LATE + patience->busy_s)
		return true;
	return waited_s > verdict->rtt_s * 2 + patience->idle_s;
}

bool probe_verdict_is_in_doubt(const struct probe_verdict *verdict, double now)
{
	return verdict->known && verdict->lost > 0 && now - verdict->alive >= SIGN_S / 2 &&
	       now - verdict->lost_since > verdict->rtt_s * LATE + LATE_S;
}

bool probe_verdict_judge(struct probe_verdict *verdict, const struct probe_patience *patience,
			 double now)
{
	if (!verdict->out) {
		if (!is_lost(verdict, patience, now))
			return false;
		verdict->out = true;
		verdict->answers = 0;
		if (verdict->returned == 0. || now - verdict->returned > BRIEF_S)
			verdict->needed = ANSWERS_MIN;
		else if (verdict->needed < ANSWERS_MAX)
			verdict->needed *= 2;
		return true;
	}
	if (verdict->lost > 1 && now - verdict->lost_since > verdict->rtt_s * 2 + OUT_S)
		verdict->answers = 0;
	if (verdict->answers < verdict->needed)
		return false;
	verdict->out = false;
	verdict->returned = now;
	return true;
}

double probe_verdict_wait_s(const struct probe_verdict *verdict, double idle_s, double busy_s,
			    double now)
{
	if (verdict->out)
		return OUT_S;
	if (probe_verdict_is_busy(verdict, now))
		return busy_s;
	return verdict->known && verdict->lost > 1 ? DOUBT_S : idle_s;
}
