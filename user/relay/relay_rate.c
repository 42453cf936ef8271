/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Relays of a token with a rate: each flow asks before it takes, and rests until its turn. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "relay/relay_private.h"
#include "shared/token_state.h"

/* Of one flow. */
struct turn {
	struct relay *relay;
	struct flow *flow;
	struct leg *source;
	struct leg *target;
	struct fair_rate *fair;
	struct fair_share share;
	ev_timer rest;
};

struct relay_rate {
	uint64_t bytes_per_s;
	struct turn turns[DIRECTIONS];
};

static struct turn *turn_of(struct relay *relay, const struct flow *flow)
{
	return &relay->rate->turns[flow - relay->flows];
}

static void turn_stop(struct turn *turn)
{
	ev_timer_stop(turn->relay->env->loop, &turn->rest);
	fair_rate_leave(turn->fair, &turn->share);
}

static void turn_on_rested(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct turn *turn = timer->data;
	struct relay *relay = turn->relay;

	(void)loop;
	(void)events;
	turn->flow->resting = false;
	if (turn->flow->finished)
		fair_rate_leave(turn->fair, &turn->share);
	relay_pump(relay, turn->flow, turn->source, turn->target);
	relay_settle(relay);
}

int relay_set_rate(struct relay *relay, struct token_state *token_state, uint64_t bytes_per_s)
{
	relay->rate = calloc(1, sizeof(*relay->rate));
	if (!relay->rate)
		return -ENOMEM;
	relay->rate->bytes_per_s = bytes_per_s;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct turn *turn = &relay->rate->turns[d];

		*turn = (struct turn){.relay = relay,
				      .flow = &relay->flows[d],
				      .source = d == UP ? &relay->client : &relay->server,
				      .target = d == UP ? &relay->server : &relay->client,
				      .fair = token_state_rate(token_state, d)};
		ev_init(&turn->rest, turn_on_rested);
		turn->rest.data = turn;
	}
	/* The kernel would not ask. */
	relay->unfit = true;
	return 0;
}

size_t relay_rate_ask(struct relay *relay, struct flow *flow)
{
	struct turn *turn = turn_of(relay, flow);
	size_t bytes;
	double wait_s;

	/* What a dead leg sent is not kept waiting: it is little, and soon gone. */
	if (relay_outcome(relay) != CAUSE_NONE) {
		turn_stop(turn);
		return SIZE_MAX;
	}
	if (flow->resting || flow->eof || flow->held.len > 0)
		return 0;
	wait_s = fair_rate_ask(turn->fair, &turn->share, relay->rate->bytes_per_s,
			       clock_monotonic_s(), &bytes);
	if (wait_s == 0)
		return bytes;
	flow->resting = true;
	ev_timer_set(&turn->rest, wait_s, 0.);
	ev_timer_start(relay->env->loop, &turn->rest);
	return 0;
}

void relay_rate_settle(struct relay *relay, struct flow *flow, size_t used)
{
	struct turn *turn = turn_of(relay, flow);

	if (flow->allowance == 0 || flow->allowance == SIZE_MAX)
		return;
	fair_rate_settle(turn->fair, &turn->share, relay->rate->bytes_per_s, used);
}

void relay_rate_stop(struct relay *relay)
{
	if (!relay->rate)
		return;
	for (enum direction d = UP; d < DIRECTIONS; d++)
		turn_stop(&relay->rate->turns[d]);
	free(relay->rate);
	relay->rate = NULL;
}
