/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a destination to a connected socket by one of the exits. */
#include "upstream/exit_dial.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/log.h"
#include "shared/exit_state.h"
#include "upstream/hop.h"

struct exit_dial {
	struct dial_request request; /* with pointers to the next two */
	struct destination destination;
	union address client;
	uint8_t *first;
	size_t first_len;
	uint64_t tried;
	enum cause cause; /* of the last failure */
	int current;	  /* exit */
	struct hop *hop;
	struct dial *direct;
	ev_timer begin; /* only ever fed: to start from the loop */
	dial_fn *notify;
	void *context;
};

static void next(struct exit_dial *dial);

static bool is_candidate(const struct config *config, size_t i, uint64_t tried)
{
	return !(tried & UINT64_C(1) << i) && exit_state_is_usable(config->exits[i].state);
}

int exit_dial_choose(const struct config *config, uint64_t tried, uint32_t dice)
{
	uint32_t best = UINT32_MAX;
	uint32_t sum = 0;
	uint64_t candidates = 0;

	for (size_t i = 0; i < config->exit_count; i++) {
		const struct exit_config *exit = &config->exits[i];

		if (!is_candidate(config, i, tried) || exit->priority > best)
			continue;
		if (exit->priority < best) {
			best = exit->priority;
			sum = 0;
			candidates = 0;
		}
		sum += exit->weight;
		candidates |= UINT64_C(1) << i;
	}
	if (!candidates)
		return -1;
	dice %= sum;
	for (size_t i = 0; i < config->exit_count; i++) {
		if (!(candidates & UINT64_C(1) << i))
			continue;
		if (dice < config->exits[i].weight)
			return (int)i;
		dice -= config->exits[i].weight;
	}
	return -1;
}

static void exit_dial_free(struct exit_dial *dial)
{
	ev_timer_stop(dial->request.loop, &dial->begin);
	if (dial->hop)
		hop_cancel(dial->hop);
	if (dial->direct)
		dial_cancel(dial->direct);
	free(dial->first);
	free(dial);
}

void exit_dial_cancel(struct exit_dial *dial)
{
	exit_dial_free(dial);
}

static void finish(struct exit_dial *dial, const struct dial_result *result)
{
	dial_fn *notify = dial->notify;
	void *context = dial->context;

	exit_dial_free(dial);
	notify(context, result->fd >= 0 ? DIAL_CONNECTED : DIAL_FAILED, result);
}

static void fail(struct exit_dial *dial, enum cause cause)
{
	finish(dial, &(struct dial_result){.fd = -1, .cause = cause});
}

/* From now on the address counts. False when there is none: mostly a name is all that is known. */
static bool forget_name(struct exit_dial *dial)
{
	if (!dial->destination.host[0] || dial->destination.address.sa.sa_family == AF_UNSPEC)
		return false;
	dial->destination.host[0] = '\0';
	return true;
}

static void on_hop(void *context, const struct hop_result *result)
{
	struct exit_dial *dial = context;
	const struct exit_config *exit = &dial->request.config->exits[dial->current];

	dial->hop = NULL;
	switch (result->outcome) {
	case HOP_CONNECTED:
		finish(dial, &(struct dial_result){.fd = result->fd,
						   .transport = result->transport,
						   .exit = exit->state,
						   .first_sent = true,
						   .bound = result->bound,
						   .taken = result->taken});
		return;
	case HOP_DESTINATION_FAILED:
		/* What the client found may do where the exit found nothing, or something else. */
		if (forget_name(dial))
			next(dial);
		else
			fail(dial, result->cause);
		return;
	case HOP_EXIT_LOST:
		/* It is not the client who has to show that it may. */
		fail(dial, result->cause == CAUSE_AUTH_FAILED ? CAUSE_NO_EXIT : result->cause);
		return;
	case HOP_EXIT_FAILED:
		log_debug("exit %s: %s", exit->name, cause_info(result->cause)->text);
		dial->tried |= UINT64_C(1) << dial->current;
		dial->cause = result->cause;
		next(dial);
	}
}

static void on_direct(void *context, enum dial_event event, const struct dial_result *result)
{
	struct exit_dial *dial = context;

	if (event == DIAL_CONNECTING)
		return;
	dial->direct = NULL;
	finish(dial, result);
}

static void go_direct(struct exit_dial *dial)
{
	(void)forget_name(dial);
	dial->direct = dial_start(&dial->request, on_direct, dial);
	if (!dial->direct)
		fail(dial, CAUSE_RESOURCES);
}

static void next(struct exit_dial *dial)
{
	const struct config *config = dial->request.config;

	dial->current = exit_dial_choose(config, dial->tried, randombytes_random());
	if (dial->current >= 0) {
		dial->hop = hop_start(
			&(struct hop_request){.loop = dial->request.loop,
					      .resolver = dial->request.resolver,
					      .mptcp_blackhole = dial->request.mptcp_blackhole,
					      .links = dial->request.links,
					      .config = config,
					      .exit = &config->exits[dial->current],
					      .destination = &dial->destination,
					      .first = dial->first,
					      .first_len = dial->first_len},
			on_hop, dial);
		if (!dial->hop)
			fail(dial, CAUSE_RESOURCES);
	} else if (config->when_no_exit == WHEN_NO_EXIT_DIRECT) {
		go_direct(dial);
	} else {
		fail(dial, dial->cause == CAUSE_LIMIT ? CAUSE_LIMIT : CAUSE_NO_EXIT);
	}
}

static void on_begin(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct exit_dial *dial = timer->data;

	(void)loop;
	(void)events;
	dial->notify(dial->context, DIAL_CONNECTING, NULL);
	next(dial);
}

struct exit_dial *exit_dial_start(const struct dial_request *request, const void *first,
				  size_t first_len, dial_fn *notify, void *context)
{
	struct exit_dial *dial = calloc(1, sizeof(*dial));

	if (!dial)
		return NULL;
	if (first_len > 0) {
		dial->first = malloc(first_len);
		if (!dial->first) {
			free(dial);
			return NULL;
		}
		memcpy(dial->first, first, first_len);
		dial->first_len = first_len;
	}
	dial->request = *request;
	dial->destination = *request->destination;
	dial->client = *request->client;
	dial->request.destination = &dial->destination;
	dial->request.client = &dial->client;
	dial->notify = notify;
	dial->context = context;
	ev_init(&dial->begin, on_begin);
	dial->begin.data = dial;
	ev_feed_event(request->loop, &dial->begin, EV_CUSTOM);
	return dial;
}
