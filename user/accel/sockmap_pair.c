/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two directions of a session while the kernel moves their bytes. */
#include "accel/sockmap_pair.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

struct course {
	struct parked parked;
	bool given_up;	  /* its target is dead */
	uint64_t counted; /* bytes, by park_take_count() */
	/* When credit was last granted: */
	uint64_t redirected; /* bytes */
	uint64_t answers;    /* segments of the opposite direction */
};

struct park {
	struct poller *poller;
	const struct tune *tune;
	enum park_state state;
	const char *reason;
	struct course up;
	struct course down;
	struct poll_watch drain;
	park_fn *notify;
	void *owner;
};

struct park *park_new(const struct park_request *request)
{
	struct park *park = calloc(1, sizeof(*park));
	int err;

	if (!park)
		return NULL;
	park->poller = request->poller;
	park->tune = request->tune;
	park->notify = request->notify;
	park->owner = request->owner;
	err = parked_prepare(&park->up.parked, &park->down.parked, request->worker, request->client,
			     request->server, request->session);
	if (!err)
		return park;
	free(park);
	errno = -err;
	return NULL;
}

static void course_remember(struct course *course, const struct course *opposite)
{
	course->redirected = parked_redirected(&course->parked);
	course->answers = parked_segments(&opposite->parked);
}

int park_enter(struct park *park)
{
	int err = parked_enter(&park->up.parked);

	if (err)
		return err;
	park->state = PARK_IN;
	err = parked_enter(&park->down.parked);
	if (err) {
		park_leave(park, "the other direction could not enter the sockmap");
		return err;
	}
	course_remember(&park->up, &park->down);
	course_remember(&park->down, &park->up);
	return 0;
}

static bool course_drained(struct course *course)
{
	return parked_leave(&course->parked) || course->given_up;
}

static void park_look(void *owner)
{
	struct park *park = owner;
	/* Both are asked: each is to stop redirecting. */
	bool up = course_drained(&park->up);
	bool down = course_drained(&park->down);

	if (!up || !down)
		return;
	poller_stop(&park->drain);
	park->state = PARK_OUT;
	park->notify(park->owner, PARK_LEFT);
}

/* Also when it does so already, and something has changed. */
static void park_look_soon(struct park *park)
{
	poller_stop(&park->drain);
	poller_start(park->poller, &park->drain, 0., park_look, park);
}

void park_leave(struct park *park, const char *reason)
{
	if (park->state != PARK_IN)
		return;
	park->state = PARK_LEAVING;
	park->reason = reason;
	park_look_soon(park);
}

void park_give_up(struct park *park, bool up)
{
	(up ? &park->up : &park->down)->given_up = true;
	if (park->state == PARK_LEAVING)
		park_look_soon(park);
}

void park_free(struct park *park)
{
	if (!park)
		return;
	poller_stop(&park->drain);
	parked_release(&park->up.parked);
	parked_release(&park->down.parked);
	free(park);
}

enum park_state park_state(const struct park *park)
{
	return park ? park->state : PARK_OUT;
}

const char *park_reason(const struct park *park)
{
	return park->reason;
}

struct parked *park_direction(struct park *park, bool up)
{
	return up ? &park->up.parked : &park->down.parked;
}

uint64_t park_take_count(struct park *park, bool up)
{
	struct course *course = up ? &park->up : &park->down;
	uint64_t redirected = parked_redirected(&course->parked);
	uint64_t n = redirected - course->counted;

	course->counted = redirected;
	return n;
}

/* Half of the credit is used up. Chat brings answers in between; what has none is bulk, and user
 * space moves that for less. */
static void course_refill(struct park *park, struct course *course, const struct course *opposite)
{
	uint64_t bytes = parked_redirected(&course->parked) - course->redirected;
	uint64_t answers = parked_segments(&opposite->parked) - course->answers;

	if (bytes > answers * 2 * park->tune->chat_bytes) {
		park_leave(park, "bulk, not chat");
		return;
	}
	parked_top_up(&course->parked);
	course_remember(course, opposite);
}

static void park_on_event(void *owner, enum hawser_event_kind kind)
{
	struct parked *parked = owner;
	struct course *course = (struct course *)((char *)parked - offsetof(struct course, parked));
	bool up = parked->direction == HAWSER_UP;
	struct park *park = (struct park *)((char *)course - (up ? offsetof(struct park, up)
								 : offsetof(struct park, down)));

	switch (kind) {
	case HAWSER_EVENT_LOW:
		if (park->state == PARK_IN)
			course_refill(park, course, up ? &park->down : &park->up);
		break;
	case HAWSER_EVENT_PASSED:
		/* Also when this is an old event: its flow may have entered again. */
		if (parked_mode(parked) == PARKED_PASSING)
			park_leave(park, "the target does not keep up");
		break;
	case HAWSER_EVENT_BROKEN:
		if (parked_mode(parked) == PARKED_BROKEN)
			park->notify(park->owner, PARK_BROKEN);
		break;
	}
}

void park_read_events(struct accel_worker *worker)
{
	accel_read_events(worker, park_on_event);
}
