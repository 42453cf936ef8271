/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A relay's way into the sockmap and back. */
#include <errno.h>

#include "relay/relay_private.h"

bool relay_parked(const struct relay *relay)
{
	return park_state(relay->park) != PARK_OUT;
}

static bool leg_fits_sockmap(const struct relay *relay, const struct leg *leg)
{
	return leg->transport == TRANSPORT_TCP || relay->env->accel_mptcp;
}

bool relay_fits_sockmap(const struct relay *relay)
{
	return leg_fits_sockmap(relay, &relay->client) && leg_fits_sockmap(relay, &relay->server);
}

bool relay_is_chatty(struct relay *relay, const struct flow *flow, uint64_t n)
{
	ev_tstamp now = ev_now(relay->env->loop);

	if (relay->unfit)
		return false;
	if (relay->config->tier == TIER_MODE_SOCKMAP)
		return chat_may_enter(&relay->chat, now);
	return chat_moved(&relay->chat, &relay->config->tune, flow == &relay->up, n, now);
}

/* libev leaves the descriptor of a stopped watcher in its epoll set until that brings an event
 * which nobody wants. A segment that the kernel moves wakes us, but is gone before it would be such
 * an event. So have it bring the one that is always there. */
static void leg_watch_nothing(struct relay *relay, struct leg *leg)
{
	leg_watch_io(relay, leg, EV_WRITE);
}

static void relay_on_park(void *owner, enum park_event event)
{
	struct relay *relay = owner;

	relay_refresh(relay);
	if (event == PARK_BROKEN) {
		relay_fail(relay, CAUSE_BYTES_LOST);
	} else {
		chat_left(&relay->chat, &relay->config->tune, ev_now(relay->env->loop));
		relay_pump(relay, &relay->up, &relay->client, &relay->server);
		relay_pump(relay, &relay->down, &relay->server, &relay->client);
	}
	relay_settle(relay);
}

/* 0, or -errno as of park_new() and park_enter(). */
static int relay_enter_sockmap(struct relay *relay)
{
	struct relay_env *env = relay->env;
	int err;

	if (!relay->park) {
		relay->park = park_new(&(struct park_request){.poller = &env->poller,
							      .worker = env->accel,
							      .tune = &relay->config->tune,
							      .client = relay->client.fd,
							      .server = relay->server.fd,
							      .session = relay->session,
							      .notify = relay_on_park,
							      .owner = relay});
		if (!relay->park)
			return -errno;
	}
	err = park_enter(relay->park);
	for (int up = 0; up <= 1; up++) {
		struct parked *parked = park_direction(relay->park, up);
		struct flow *flow = up ? &relay->up : &relay->down;

		if (parked_mode(parked) != PARKED_OUT)
			flow_set_parked(flow, parked);
		if (parked->source_error)
			relay_source_failed(relay, flow, up ? &relay->client : &relay->server);
	}
	return err;
}

void relay_try_sockmap(struct relay *relay)
{
	ev_tstamp now = ev_now(relay->env->loop);
	int err;

	if (relay_parked(relay) || relay->unfit || relay_half_closed(relay) ||
	    relay->up.held.len > 0 || relay->down.held.len > 0)
		return;
	err = relay_enter_sockmap(relay);
	if (!err) {
		relay->env->counters->sockmap_entries++;
		chat_entered(&relay->chat, now);
	} else if (err != -EAGAIN) {
		relay->env->counters->sockmap_refused++;
		relay->unfit = !relay->park;
		chat_left(&relay->chat, &relay->config->tune, now);
	}
	if (relay_parked(relay)) {
		ticker_stop(&relay->env->ticker, &relay->up.tick);
		ticker_stop(&relay->env->ticker, &relay->down.tick);
		leg_watch_nothing(relay, &relay->client);
		leg_watch_nothing(relay, &relay->server);
	}
}

void relay_refresh(struct relay *relay)
{
	if (!relay->park)
		return;
	for (int up = 0; up <= 1; up++) {
		struct flow *flow = up ? &relay->up : &relay->down;
		uint64_t bytes = park_take_count(relay->park, up);

		flow->bytes += bytes;
		relay_count(relay, flow, bytes);
	}
}
