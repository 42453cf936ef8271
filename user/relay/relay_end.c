/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a relay ends. What was taken from one side is given to the other, and nothing is reset that
 * has not acknowledged all that it was given: directly connected, it would have got that, too. */
#include <sys/socket.h>

#include "base/loop_clock.h"
#include "relay/relay_private.h"

/* When a leg that will be reset is first asked whether all it was sent has been acknowledged. */
#define DRAIN_FIRST_S 0.01

/* How long a dead leg that has been in the sockmap is looked at for passed bytes that are still on
 * their way to its queue. Some never come: a psock that an error has hit drops them. */
#define DEAD_S 0.5

static void flow_finish(struct relay *relay, struct flow *flow)
{
	tick_stop(&relay->env->ticker, &flow->tick);
	flow->eof = true;
	flow->finished = true;
}

void relay_leg_died(struct relay *relay, struct leg *leg)
{
	struct flow *to = flow_to(relay, leg);

	leg->dead = true;
	flow_from(relay, leg)->resting = false;
	if (relay->pair)
		sockmap_pair_give_up(relay->pair, to == &relay->flows[UP] ? UP : DOWN);
	flow_drop(to, &relay->env->buffers);
	flow_finish(relay, to);
}

void relay_source_failed(struct relay *relay, struct flow *flow, struct leg *source)
{
	flow_finish(relay, flow);
	relay_leg_died(relay, source);
}

void relay_fail(struct relay *relay, enum cause cause)
{
	if (relay->end != CAUSE_NONE)
		return;
	relay->end = cause;
	if (relay->pair)
		sockmap_pair_leave(relay->pair, cause_info(cause)->text);
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct flow *flow = &relay->flows[d];

		flow->eof = true;
		if (flow->held.len == 0)
			flow_finish(relay, flow);
	}
}

enum cause relay_outcome(const struct relay *relay)
{
	if (relay->end == CAUSE_NONE && (relay->client.dead || relay->server.dead))
		return CAUSE_RESET;
	return relay->end;
}

/* Whether both streams have ended in order, so that the close that follows says so as well. */
static bool relay_closes(const struct relay *relay, const struct leg *target)
{
	return relay->flows[UP].finished && relay->flows[DOWN].finished &&
	       target->transport == TRANSPORT_TCP;
}

void relay_flow_ended(struct relay *relay, struct flow *flow, struct leg *source,
		      struct leg *target)
{
	flow->finished = true;
	if (relay->end == CAUSE_NONE && leg_lost_bytes(source, flow))
		relay_fail(relay, CAUSE_BYTES_LOST);
	else if (relay_outcome(relay) == CAUSE_NONE && !relay_closes(relay, target))
		shutdown(target->fd, SHUT_WR);
}

static bool relay_all_given(const struct relay *relay)
{
	return relay->flows[UP].finished && relay->flows[DOWN].finished && !relay_in_kernel(relay);
}

bool relay_is_over(struct relay *relay)
{
	if (relay->client.dead && relay->server.dead)
		return true;
	/* What is closed in order, the kernel goes on to deliver. */
	return relay_all_given(relay) && (relay_outcome(relay) == CAUSE_NONE ||
					  (leg_drained(&relay->client, &relay->flows[DOWN]) &&
					   leg_drained(&relay->server, &relay->flows[UP])));
}

/* The leg that died may have passed bytes that have not come to its queue yet. */
static struct leg *relay_unread_dead(struct relay *relay)
{
	struct leg *dead = relay->client.dead ? &relay->client : &relay->server;
	const struct flow *from = flow_from(relay, dead);

	return dead->dead && from->sockmap && !from->finished && !relay_in_sockmap(relay) ? dead
											  : NULL;
}

static void relay_look_at_end(void *owner)
{
	struct relay *relay = owner;
	struct leg *dead = relay_unread_dead(relay);

	if (dead) {
		struct flow *from = flow_from(relay, dead);

		relay_pump(relay, from, dead, leg_other(relay, dead));
		if (!from->finished && from->held.len == 0 &&
		    loop_clock_s(relay->env->loop) - relay->drain.since > DEAD_S)
			relay_source_failed(relay, from, dead);
	}
	relay_settle(relay);
}

void relay_await_end(struct relay *relay)
{
	if (relay_all_given(relay) || relay_unread_dead(relay))
		poller_start(&relay->env->poller, &relay->drain, DRAIN_FIRST_S, relay_look_at_end,
			     relay);
}

void relay_look(struct relay *relay)
{
	bool progressed = leg_progressed(&relay->client, &relay->flows[DOWN]);

	progressed |= leg_progressed(&relay->server, &relay->flows[UP]);
	relay_refresh(relay);
	if (progressed)
		relay->last_activity = loop_clock_s(relay->env->loop);
}
