/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a token may have of speed tests. */
#include "shared/speed_limit.h"

#define DAY_S 86400.

void speed_limit_init(struct speed_limit *limit)
{
	*limit = (struct speed_limit){.held = 0};
	pthread_mutex_init(&limit->lock, NULL);
}

void speed_limit_fini(struct speed_limit *limit)
{
	pthread_mutex_destroy(&limit->lock);
}

static void find_day(struct speed_limit *limit, double now_s)
{
	if (limit->begun && now_s - limit->day_s < DAY_S)
		return;
	limit->begun = true;
	limit->day_s = now_s;
	limit->used = 0;
}

/* Rounded up, so that who waits so long is not early. */
static uint32_t wait_until(double then_s, double now_s)
{
	return then_s > now_s ? (uint32_t)(then_s - now_s) + 1 : 1;
}

static struct speed_verdict judge(const struct speed_limit *limit,
				  const struct speed_request *request, uint64_t day_bytes,
				  double now_s)
{
	const bool taken = limit->held > 0 || now_s < limit->idle_s;
	const double until_s = limit->held > 0 ? limit->end_s + SPEED_PAUSE_S : limit->idle_s;

	if (day_bytes == 0)
		return (struct speed_verdict){.refusal = SPEED_OFF};
	if (taken && limit->test != request->test)
		return (struct speed_verdict){.refusal = SPEED_BUSY,
					      .wait_s = wait_until(until_s, now_s)};
	if (limit->used >= day_bytes)
		return (struct speed_verdict){.refusal = SPEED_USED_UP,
					      .wait_s = wait_until(limit->day_s + DAY_S, now_s),
					      .bytes = day_bytes};
	if (limit->held >= SPEED_CONNECTIONS_MAX)
		return (struct speed_verdict){.refusal = SPEED_CROWDED};
	return (struct speed_verdict){.refusal = SPEED_TAKEN, .bytes = day_bytes - limit->used};
}

bool speed_limit_begin(struct speed_limit *limit, const struct speed_request *request,
		       uint64_t day_bytes, double now_s, struct speed_verdict *verdict)
{
	const double end_s = now_s + request->seconds;

	pthread_mutex_lock(&limit->lock);
	find_day(limit, now_s);
	*verdict = judge(limit, request, day_bytes, now_s);
	if (verdict->refusal == SPEED_TAKEN) {
		limit->test = request->test;
		if (limit->held++ == 0 || limit->end_s < end_s)
			limit->end_s = end_s;
	}
	pthread_mutex_unlock(&limit->lock);
	return verdict->refusal == SPEED_TAKEN;
}

void speed_limit_end(struct speed_limit *limit, double now_s)
{
	pthread_mutex_lock(&limit->lock);
	if (--limit->held == 0)
		limit->idle_s = now_s + SPEED_PAUSE_S;
	pthread_mutex_unlock(&limit->lock);
}

bool speed_limit_charge(struct speed_limit *limit, uint64_t bytes, uint64_t day_bytes, double now_s)
{
	bool left;

	pthread_mutex_lock(&limit->lock);
	find_day(limit, now_s);
	limit->used += bytes;
	left = limit->used < day_bytes;
	pthread_mutex_unlock(&limit->lock);
	return left;
}
