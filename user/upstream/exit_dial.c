/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a destination to a connected socket by one of the exits. */
#include "upstream/exit_dial.h"

#include <ev.h>
#include <stdlib.h>

#include <sodium.h>

#include "base/log.h"
#include "base/loop_clock.h"
#include "shared/exit_state.h"
#include "upstream/hop.h"

struct exit_dial {
	struct dial_request request;
	struct destination destination;
	const void *first;
	size_t first_len;
	uint64_t tried;
	enum cause cause; /* of the last failure */
	int current;	  /* exit */
	struct hop *hop;
	ev_timer begin; /* only ever fed: to start from the loop */
	dial_fn *notify;
	void *context;
};

static void next(struct exit_dial *dial);

static bool is_candidate(const struct config *config, size_t i, uint64_t tried)
{
	return !(tried & UINT64_C(1) << i) && exit_state_is_usable(config->exits[i].state);
}

size_t exit_dial_candidates(const struct config *config, uint64_t tried, size_t out[EXITS_MAX])
{
	uint32_t best = UINT32_MAX;
	size_t count = 0;

	for (size_t i = 0; i < config->exit_count; i++) {
		if (!is_candidate(config, i, tried) || config->exits[i].priority > best)
			continue;
		if (config->exits[i].priority < best)
			count = 0;
		best = config->exits[i].priority;
		out[count++] = i;
	}
	return count;
}

int exit_dial_choose(const struct config *config, uint64_t tried,
		     const struct affinity_asker *asker)
{
	struct affinity_way ways[EXITS_MAX];
	size_t exits[EXITS_MAX];
	const size_t count = exit_dial_candidates(config, tried, exits);

	for (size_t i = 0; i < count; i++) {
		const struct exit_config *exit = &config->exits[exits[i]];

		ways[i] = (struct affinity_way){
			.id = affinity_hash(asker->affinity, exit->name, strlen(exit->name)),
			.weight = exit->weight,
		};
	}
	return count > 0 ? (int)exits[affinity_choose(asker, AFFINITY_EXIT, ways, count)] : -1;
}

void exit_dial_cancel(struct exit_dial *dial)
{
	ev_timer_stop(dial->request.env.loop, &dial->begin);
	if (dial->hop)
		hop_cancel(dial->hop);
	free(dial);
}

static void finish(struct exit_dial *dial, const struct dial_result *result)
{
	dial_fn *notify = dial->notify;
	void *context = dial->context;

	exit_dial_cancel(dial);
	notify(context, result->fd >= 0 ? DIAL_CONNECTED : DIAL_FAILED, result);
}

static void fail(struct exit_dial *dial, enum cause cause)
{
	finish(dial, &(struct dial_result){.fd = -1, .cause = cause});
}

static void on_hop(void *context, const struct hop_result *result)
{
	struct exit_dial *dial = context;
	const struct exit_config *exit = &dial->request.env.config->exits[dial->current];

	dial->hop = NULL;
	switch (result->outcome) {
	case HOP_CONNECTED:
		finish(dial, &(struct dial_result){.fd = result->fd,
						   .transport = result->transport,
						   .exit = exit->state,
						   .first_sent = result->first_sent,
						   .bound = result->bound,
						   .taken = result->taken});
		return;
	case HOP_DESTINATION_FAILED:
		/* What the client found may do where the exit found nothing, or something else. */
		if (destination_forget_name(&dial->destination))
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

/* Without stickiness each dial is a pair of its own. */
static struct affinity_asker ask(const struct exit_dial *dial)
{
	const struct dial_request *request = &dial->request;
	struct affinity_asker asker = {
		.affinity = request->env.affinity,
		.keep_s = request->env.config->sticky_s,
		.now_s = loop_clock_s(request->env.loop),
	};

	if (asker.keep_s > 0)
		asker.pair = request->pair.hash ? request->pair
						: affinity_pair(asker.affinity, request->client,
								dial->destination.host,
								&dial->destination.address);
	else
		randombytes_buf(&asker.pair.hash, sizeof(asker.pair.hash));
	return asker;
}

static void next(struct exit_dial *dial)
{
	const struct config *config = dial->request.env.config;
	const struct affinity_asker asker = ask(dial);

	dial->current = exit_dial_choose(config, dial->tried, &asker);
	if (dial->current >= 0) {
		dial->hop = hop_start(&(struct hop_request){.env = dial->request.env,
							    .pair = asker.pair,
							    .exit = &config->exits[dial->current],
							    .destination = &dial->destination,
							    .first = dial->first,
							    .first_len = dial->first_len},
				      on_hop, dial);
		if (!dial->hop)
			fail(dial, CAUSE_RESOURCES);
	} else {
		finish(dial,
		       &(struct dial_result){.fd = -1,
					     .no_exit = true,
					     .cause = dial->cause == CAUSE_LIMIT ? CAUSE_LIMIT
										 : CAUSE_NO_EXIT});
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
	dial->request = *request;
	dial->destination = *request->destination;
	dial->first = first;
	dial->first_len = first_len;
	dial->notify = notify;
	dial->context = context;
	ev_init(&dial->begin, on_begin);
	dial->begin.data = dial;
	ev_feed_event(request->env.loop, &dial->begin, EV_CUSTOM);
	return dial;
}
