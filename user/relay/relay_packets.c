/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A relay whose packets the kernel forwards: when, and the way back. */
#include <errno.h>

#include "base/loop_clock.h"
#include "relay/relay_private.h"

/* Learning costs as much as some exchanges: connections that carry one come and go as before. */
#define LEARN_READS 3U

const char *relay_packets_refusal(const struct relay *relay)
{
	if (!relay->env->packets)
		return "packets: off, see hawser status";
	if (!relay->env->packets_allowed)
		return "packets: no longer allowed";
	if (relay->not_forwarded)
		return relay->not_forwarded;
	if (relay->client.transport != TRANSPORT_TCP || relay->server.transport != TRANSPORT_TCP)
		return "packets: a leg is an MPTCP socket";
	if (relay->rate)
		return "packets: a rate is set";
	if (relay->flows[UP].local)
		return "packets: the client is on this host";
	if (relay->pair)
		return "packets: the sockets are in the sockmap";
	return NULL;
}

bool relay_may_forward(const struct relay *relay)
{
	return config_wants_packets(relay->config) && !relay_packets_refusal(relay);
}

bool relay_is_worth_learning(struct relay *relay, uint64_t n)
{
	if (n > 0 && relay->reads < LEARN_READS)
		relay->reads++;
	return relay->reads == LEARN_READS;
}

static void relay_rest(struct relay *relay)
{
	struct relay_env *env = relay->env;

	if (relay->forwarded)
		return;
	relay->forwarded = true;
	env->counters->packets_taken++;
	for (enum direction d = UP; d < DIRECTIONS; d++)
		tick_stop(&env->ticker, &relay->flows[d].tick);
	leg_watch_io(relay, &relay->client, 0);
	leg_watch_io(relay, &relay->server, 0);
}

/* The packets said so. */
static void relay_end_streams(struct relay *relay)
{
	for (enum direction d = UP; d < DIRECTIONS; d++)
		relay->flows[d].eof = packets_pair_ending(relay->packets, d);
}

/* What has ended and was acknowledged is over; what was not comes again. */
static void relay_resume(struct relay *relay)
{
	relay_refresh(relay);
	relay->forwarded = false;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct flow *flow = &relay->flows[d];

		flow->eof = packets_pair_ended(relay->packets, d);
		flow->finished = flow->eof;
	}
}

static void relay_on_packets(void *owner, enum packets_pair_event event)
{
	struct relay *relay = owner;

	switch (event) {
	case PACKETS_PAIR_TAKEN:
		relay_rest(relay);
		break;
	case PACKETS_PAIR_ENDING:
		relay_refresh(relay);
		relay_end_streams(relay);
		break;
	case PACKETS_PAIR_CLOSED:
		relay_refresh(relay);
		relay_end_streams(relay);
		relay->forwarded = false;
		relay->forwarded_last = true;
		relay->flows[UP].finished = true;
		relay->flows[DOWN].finished = true;
		break;
	case PACKETS_PAIR_LEFT:
		relay_resume(relay);
		/* Who has left for good needs no slot. */
		if (relay->not_forwarded) {
			packets_pair_free(relay->packets);
			relay->packets = NULL;
			relay->unfit = true;
		}
		break;
	case PACKETS_PAIR_RESET:
	case PACKETS_PAIR_LOST:
		relay_refresh(relay);
		relay->forwarded_last = true;
		relay->forwarded = false;
		relay_leg_died(relay, &relay->client);
		relay_leg_died(relay, &relay->server);
		break;
	case PACKETS_PAIR_IDLE:
		packets_pair_leave(relay->packets);
		break;
	case PACKETS_PAIR_LOSSY:
		relay_take_back(relay, "packets: a leg loses packets");
		break;
	case PACKETS_PAIR_UNFIT:
		relay_take_back(relay, packets_pair_unfit(relay->packets));
		break;
	}
	relay_settle(relay);
}

bool relay_try_packets(struct relay *relay)
{
	const uint64_t bytes[DIRECTIONS] = {relay->flows[UP].bytes, relay->flows[DOWN].bytes};
	const char *reason;

	if (relay->packets)
		return true;
	if (!relay_may_forward(relay) || relay_half_closed(relay))
		return false;
	if (relay->flows[UP].held.len > 0 || relay->flows[DOWN].held.len > 0)
		return true;
	relay->packets = packets_pair_new(
		&(struct packets_pair_request){.worker = relay->env->packets,
					       .poller = &relay->env->poller,
					       .client = relay->client.fd,
					       .server = relay->server.fd,
					       .session = relay->session,
					       .bytes = bytes,
					       .careful = relay->config->tier == TIER_MODE_AUTO,
					       .notify = relay_on_packets,
					       .owner = relay},
		&reason);
	if (!relay->packets && errno != EAGAIN) {
		relay->not_forwarded = reason;
		relay->env->counters->packets_refused++;
	}
	return true;
}

bool relay_packets_begin(struct relay *relay)
{
	if (!relay->packets || packets_pair_disarm(relay->packets))
		return true;
	relay_rest(relay);
	return false;
}

void relay_packets_end(struct relay *relay)
{
	const uint64_t bytes[DIRECTIONS] = {relay->flows[UP].bytes, relay->flows[DOWN].bytes};
	const char *fault = NULL;

	if (relay->packets && !relay_packets_refusal(relay) && !relay->forwarded &&
	    relay->end == CAUSE_NONE && !relay_half_closed(relay) && !relay->client.dead &&
	    !relay->server.dead && relay->flows[UP].held.len == 0 &&
	    relay->flows[DOWN].held.len == 0)
		fault = packets_pair_arm(relay->packets, bytes);
	if (fault && packets_pair_disarm(relay->packets)) {
		relay->not_forwarded = fault;
		relay->env->counters->packets_refused++;
		packets_pair_free(relay->packets);
		relay->packets = NULL;
	}
}

void relay_recall(struct relay *relay)
{
	if (!relay_packets_begin(relay))
		packets_pair_leave(relay->packets);
}

void relay_take_back(struct relay *relay, const char *reason)
{
	if (!relay->config->torture)
		relay->not_forwarded = reason;
	packets_pair_leave(relay->packets);
}
