/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A relay's way into the sockmap and back. */
#include <errno.h>

#include "base/loop_clock.h"
#include "relay/relay_private.h"

bool relay_in_sockmap(const struct relay *relay)
{
	return sockmap_pair_state(relay->pair) != SOCKMAP_PAIR_OUT;
}

static bool leg_fits_sockmap(const struct relay *relay, const struct leg *leg)
{
	return leg->transport == TRANSPORT_TCP || relay->env->sockmap_mptcp;
}

bool relay_fits_sockmap(const struct relay *relay)
{
	return leg_fits_sockmap(relay, &relay->client) && leg_fits_sockmap(relay, &relay->server);
}

static bool relay_chats(struct relay *relay, const struct flow *flow, uint64_t n)
{
	const struct tune *tune = &relay->config->tune;
	const enum direction direction = flow == &relay->flows[UP] ? UP : DOWN;
	const bool chats = sockmap_policy_moved(&relay->policy, tune, direction, n,
						loop_clock_s(relay->env->loop));

	if (!relay->unfit && sockmap_policy_talks(&relay->policy, tune))
		relay->env->chat_bytes += n;
	return chats;
}

bool relay_wants_kernel(struct relay *relay, const struct flow *flow, uint64_t n)
{
	const bool may_forward = relay_may_forward(relay);

	if (relay->packets || (relay->unfit && !may_forward))
		return false;
	if (relay->config->tier == TIER_MODE_SOCKMAP)
		return sockmap_policy_may_enter(&relay->policy, loop_clock_s(relay->env->loop));
	if (relay->config->tier == TIER_MODE_PACKETS && may_forward)
		return relay_is_worth_learning(relay, n);
	return relay_chats(relay, flow, n) && (may_forward || relay_trial_admits(relay));
}

/* libev leaves the descriptor of a stopped watcher in its epoll set until that brings an event
 * which nobody wants. A segment that the kernel moves wakes us, but is gone before it would be such
 * an event. So have it bring the one that is always there. */
static void leg_watch_nothing(struct relay *relay, struct leg *leg)
{
	leg_watch_io(relay, leg, EV_WRITE);
}

static void relay_on_park(void *owner, enum sockmap_pair_event event)
{
	struct relay *relay = owner;

	relay_refresh(relay);
	if (event == SOCKMAP_PAIR_BROKEN) {
		relay_fail(relay, CAUSE_BYTES_LOST);
	} else {
		/* Whom the trial keeps out has done nothing wrong. */
		if (relay->config->tier == TIER_MODE_SOCKMAP ||
		    sockmap_trial_admits(&relay->env->trial))
			sockmap_policy_left(&relay->policy, &relay->config->tune,
					    loop_clock_s(relay->env->loop));
		relay_pump(relay, &relay->flows[UP], &relay->client, &relay->server);
		relay_pump(relay, &relay->flows[DOWN], &relay->server, &relay->client);
	}
	relay_settle(relay);
}

/* 0, or -errno as of sockmap_pair_new() and sockmap_pair_enter(). */
static int relay_enter_sockmap(struct relay *relay)
{
	struct relay_env *env = relay->env;
	int err;

	if (!relay->pair) {
		relay->pair = sockmap_pair_new(
			&(struct sockmap_pair_request){.poller = &env->poller,
						       .worker = env->sockmap,
						       .tune = &relay->config->tune,
						       .client = relay->client.fd,
						       .server = relay->server.fd,
						       .session = relay->session,
						       .notify = relay_on_park,
						       .owner = relay});
		if (!relay->pair)
			return -errno;
	}
	err = sockmap_pair_enter(relay->pair);
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct sockmap_flow *in_kernel = sockmap_pair_direction(relay->pair, d);
		struct flow *flow = &relay->flows[d];

		if (sockmap_flow_mode(in_kernel) != SOCKMAP_FLOW_OUT)
			flow_set_sockmap(flow, in_kernel);
		if (in_kernel->source_error)
			relay_source_failed(relay, flow, d == UP ? &relay->client : &relay->server);
	}
	return err;
}

void relay_try_sockmap(struct relay *relay)
{
	double now = loop_clock_s(relay->env->loop);
	int err;

	if (relay_in_sockmap(relay) || relay->unfit || relay_half_closed(relay) ||
	    relay->flows[UP].held.len > 0 || relay->flows[DOWN].held.len > 0)
		return;
	err = relay_enter_sockmap(relay);
	if (!err) {
		relay->env->counters->sockmap_entries++;
		sockmap_policy_entered(&relay->policy, now);
	} else if (err != -EAGAIN) {
		relay->env->counters->sockmap_refused++;
		relay->unfit = !relay->pair;
		sockmap_policy_left(&relay->policy, &relay->config->tune, now);
	}
	if (relay_in_sockmap(relay)) {
		tick_stop(&relay->env->ticker, &relay->flows[UP].tick);
		tick_stop(&relay->env->ticker, &relay->flows[DOWN].tick);
		leg_watch_nothing(relay, &relay->client);
		leg_watch_nothing(relay, &relay->server);
	}
}

void relay_refresh(struct relay *relay)
{
	if (!relay->pair && !relay->packets)
		return;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct flow *flow = &relay->flows[d];
		uint64_t bytes = relay->pair ? sockmap_pair_take_count(relay->pair, d)
					     : packets_pair_take_count(relay->packets, d);

		flow->bytes += bytes;
		if (relay->packets)
			flow->packets = packets_pair_packets(relay->packets, d);
		if (relay->pair)
			relay->env->chat_bytes += bytes;
		/* Sockets that rest have forgotten what they moved before, too. */
		if (relay->forwarded)
			flow->forwarded = flow->bytes;
		relay_count(relay, flow, relay->pair ? MOVER_SOCKMAP : MOVER_PACKETS, bytes);
	}
}
