/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two directions of a session while the kernel moves their bytes. */
#include "accel/sockmap_pair.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

struct course {
	struct sockmap_flow flow;
	bool given_up;	  /* its target is dead */
	uint64_t counted; /* bytes, by sockmap_pair_take_count() */
	/* When credit was last granted: */
	uint64_t redirected; /* bytes */
	uint64_t answers;    /* segments of the opposite direction */
};

struct sockmap_pair {
	struct poller *poller;
	const struct tune *tune;
	enum sockmap_pair_state state;
	const char *reason;
	struct course courses[DIRECTIONS];
	struct poll_watch drain;
	sockmap_pair_fn *notify;
	void *owner;
};

struct sockmap_pair *sockmap_pair_new(const struct sockmap_pair_request *request)
{
	struct sockmap_pair *pair = calloc(1, sizeof(*pair));
	int err;

	if (!pair)
		return NULL;
	pair->poller = request->poller;
	pair->tune = request->tune;
	pair->notify = request->notify;
	pair->owner = request->owner;
	err = sockmap_flow_prepare(&pair->courses[UP].flow, &pair->courses[DOWN].flow,
				   request->worker, request->client, request->server,
				   request->session);
	if (!err)
		return pair;
	free(pair);
	errno = -err;
	return NULL;
}

static void course_remember(struct course *course, const struct course *opposite)
{
	course->redirected = sockmap_flow_redirected(&course->flow);
	course->answers = sockmap_flow_segments(&opposite->flow);
}

int sockmap_pair_enter(struct sockmap_pair *pair)
{
	int err = sockmap_flow_enter(&pair->courses[UP].flow);

	if (err)
		return err;
	pair->state = SOCKMAP_PAIR_IN;
	err = sockmap_flow_enter(&pair->courses[DOWN].flow);
	if (err) {
		sockmap_pair_leave(pair, "the other direction could not enter the sockmap");
		return err;
	}
	course_remember(&pair->courses[UP], &pair->courses[DOWN]);
	course_remember(&pair->courses[DOWN], &pair->courses[UP]);
	return 0;
}

static bool course_drained(struct course *course)
{
	return sockmap_flow_leave(&course->flow) || course->given_up;
}

static void sockmap_pair_look(void *owner)
{
	struct sockmap_pair *pair = owner;
	/* Both are asked: each is to stop redirecting. */
	bool up = course_drained(&pair->courses[UP]);
	bool down = course_drained(&pair->courses[DOWN]);

	if (!up || !down)
		return;
	poller_stop(&pair->drain);
	pair->state = SOCKMAP_PAIR_OUT;
	pair->notify(pair->owner, SOCKMAP_PAIR_LEFT);
}

/* Also when it does so already, and something has changed. */
static void sockmap_pair_look_soon(struct sockmap_pair *pair)
{
	poller_stop(&pair->drain);
	poller_start(pair->poller, &pair->drain, 0., sockmap_pair_look, pair);
}

void sockmap_pair_leave(struct sockmap_pair *pair, const char *reason)
{
	if (pair->state != SOCKMAP_PAIR_IN)
		return;
	pair->state = SOCKMAP_PAIR_LEAVING;
	pair->reason = reason;
	sockmap_pair_look_soon(pair);
}

void sockmap_pair_give_up(struct sockmap_pair *pair, enum direction direction)
{
	pair->courses[direction].given_up = true;
	if (pair->state == SOCKMAP_PAIR_LEAVING)
		sockmap_pair_look_soon(pair);
}

void sockmap_pair_free(struct sockmap_pair *pair)
{
	if (!pair)
		return;
	poller_stop(&pair->drain);
	sockmap_flow_release(&pair->courses[UP].flow);
	sockmap_flow_release(&pair->courses[DOWN].flow);
	free(pair);
}

enum sockmap_pair_state sockmap_pair_state(const struct sockmap_pair *pair)
{
	return pair ? pair->state : SOCKMAP_PAIR_OUT;
}

const char *sockmap_pair_reason(const struct sockmap_pair *pair)
{
	return pair->reason;
}

struct sockmap_flow *sockmap_pair_direction(struct sockmap_pair *pair, enum direction direction)
{
	return &pair->courses[direction].flow;
}

uint64_t sockmap_pair_take_count(struct sockmap_pair *pair, enum direction direction)
{
	struct course *course = &pair->courses[direction];
	uint64_t redirected = sockmap_flow_redirected(&course->flow);
	uint64_t n = redirected - course->counted;

	course->counted = redirected;
	return n;
}

/* Half of the credit is used up. Chat brings answers in between; what has none is bulk, and user
 * space moves that for less. */
static void course_refill(struct sockmap_pair *pair, struct course *course,
			  const struct course *opposite)
{
	uint64_t bytes = sockmap_flow_redirected(&course->flow) - course->redirected;
	uint64_t answers = sockmap_flow_segments(&opposite->flow) - course->answers;

	/* Told again, as its target is late. */
	if (bytes < course->flow.budget / 2) {
		sockmap_flow_top_up(&course->flow);
		return;
	}
	if (bytes > answers * 2 * pair->tune->chat_bytes) {
		sockmap_pair_leave(pair, "bulk, not chat");
		return;
	}
	sockmap_flow_top_up(&course->flow);
	course_remember(course, opposite);
}

static struct sockmap_pair *pair_of(struct sockmap_flow *flow)
{
	struct course *course = (struct course *)((char *)flow - offsetof(struct course, flow));
	struct course *first = course - (flow->direction == HAWSER_UP ? UP : DOWN);

	return (struct sockmap_pair *)((char *)first - offsetof(struct sockmap_pair, courses));
}

static void sockmap_pair_on_event(void *owner, enum hawser_event_kind kind)
{
	struct sockmap_flow *flow = owner;
	const enum direction direction = flow->direction == HAWSER_UP ? UP : DOWN;
	struct sockmap_pair *pair = pair_of(flow);
	struct course *course = &pair->courses[direction];

	switch (kind) {
	case HAWSER_EVENT_LOW:
		if (pair->state == SOCKMAP_PAIR_IN)
			course_refill(pair, course, &pair->courses[direction_opposite(direction)]);
		break;
	case HAWSER_EVENT_PASSED:
		/* Also when this is an old event: its flow may have entered again. */
		if (sockmap_flow_mode(flow) == SOCKMAP_FLOW_PASSING)
			sockmap_pair_leave(pair, "the target does not keep up");
		break;
	case HAWSER_EVENT_BROKEN:
		if (sockmap_flow_mode(flow) == SOCKMAP_FLOW_BROKEN)
			pair->notify(pair->owner, SOCKMAP_PAIR_BROKEN);
		break;
	}
}

struct visit {
	sockmap_pair_visit_fn *visit;
	void *arg;
};

static void sockmap_pair_visit(void *owner, void *arg)
{
	const struct visit *visit = arg;
	struct sockmap_flow *flow = owner;

	/* One of two. */
	if (flow->direction == HAWSER_UP)
		visit->visit(pair_of(flow)->owner, visit->arg);
}

void sockmap_pair_each(struct sockmap_worker *worker, sockmap_pair_visit_fn *visit, void *arg)
{
	sockmap_each(worker, sockmap_pair_visit, &(struct visit){visit, arg});
}

void sockmap_pair_read_events(struct sockmap_worker *worker)
{
	sockmap_read_events(worker, sockmap_pair_on_event);
}
