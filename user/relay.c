/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pair of flows between two sockets: when each is pumped, half-close, reset. */
#include "relay.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "socket.h"

/* How often a leg that will be reset is asked whether all it was sent has been acknowledged. */
#define DRAIN_POLL_S 0.01

static struct leg *leg_other(struct relay *relay, const struct leg *leg)
{
	return leg == &relay->client ? &relay->server : &relay->client;
}

static struct flow *flow_from(struct relay *relay, const struct leg *leg)
{
	return leg == &relay->client ? &relay->up : &relay->down;
}

static struct flow *flow_to(struct relay *relay, const struct leg *leg)
{
	return leg == &relay->client ? &relay->down : &relay->up;
}

/* A reset discards what the receiver has not been sent yet. Directly connected, it would have got
 * all that was sent before the reset; so it shall through us. */
static bool leg_drained(struct relay *relay, const struct leg *leg)
{
	int unacknowledged;

	/* A socket that has just fallen back to TCP reports 1 until something was sent. */
	if (flow_to(relay, leg)->bytes == 0 && leg == &relay->server)
		return true;
	return ioctl(leg->fd, SIOCOUTQ, &unacknowledged) || unacknowledged == 0;
}

static void relay_on_hup(void *owner);
static void relay_on_tick(void *owner);

/* The receive path of a socket that fell back to TCP can lose bytes in the kernel and still end in
 * order (run on 6.18). TCP's own count tells; it may count the end of the stream as one byte more.
 * Not for the client's leg, where the handshake took bytes that no flow counted. */
static bool leg_lost_bytes(const struct relay *relay, const struct leg *leg,
			   const struct flow *from)
{
	return leg == &relay->server && leg->transport == TRANSPORT_FALLBACK &&
	       socket_received_bytes(leg->fd) > from->bytes + 1;
}

/* What a leg waits for follows from what its two flows hold, and from nothing else. */
static void leg_watch(struct relay *relay, struct leg *leg)
{
	const struct flow *from = flow_from(relay, leg);
	const struct flow *to = flow_to(relay, leg);
	int events = 0;

	if (!from->eof && from->held.len == 0 && !from->tick.active)
		events |= EV_READ;
	if (to->held.len > 0)
		events |= EV_WRITE;

	if (events != (ev_is_active(&leg->io) ? leg->io.events & (EV_READ | EV_WRITE) : 0)) {
		ev_io_stop(relay->env->loop, &leg->io);
		ev_io_modify(&leg->io, events);
		if (events)
			ev_io_start(relay->env->loop, &leg->io);
	}
	/* A leg whose stream has ended and that nothing is written to may still be reset. */
	if (events || !from->eof || leg == relay->dead)
		hup_remove(&relay->env->hup, &leg->hup);
	else
		hup_add(&relay->env->hup, &leg->hup, leg->fd, relay_on_hup, leg);
}

/* After a look at the source that moved n bytes: when is the next one due? */
static void relay_pace(struct relay *relay, struct flow *flow, struct leg *source, size_t n,
		       enum flow_result result)
{
	struct ticker *ticker = &relay->env->ticker;
	ev_tstamp now = ev_now(relay->env->loop);
	uint32_t interval_us;

	if (flow->eof || flow->finished) {
		ticker_stop(ticker, &flow->tick);
		return;
	}
	if (flow->held.len > 0)
		return; /* the target sets the pace now */
	if (flow->tick.active)
		interval_us = result == FLOW_MORE
				      ? 0
				      : pace_ticked(&flow->pace, &relay->tick, n, now, flow->source,
						    flow->target, flow->tick.interval_us);
	else
		interval_us =
			pace_woken(&flow->pace, &relay->tick, n, now, flow->source, flow->target);
	if (interval_us == 0)
		ticker_stop(ticker, &flow->tick);
	else if (flow->tick.active)
		flow->tick.interval_us = interval_us;
	else
		ticker_start(ticker, &flow->tick, interval_us, relay_on_tick, source);
}

/* Nothing can be given to this leg any more. What it sent before is still worth reading. */
static void relay_leg_died(struct relay *relay, struct leg *leg)
{
	struct flow *to = flow_to(relay, leg);

	if (relay->dead && relay->dead != leg)
		relay->end = CAUSE_RESET;
	relay->dead = leg;
	flow_drop(to, &relay->env->mover);
	ticker_stop(&relay->env->ticker, &to->tick);
	to->eof = true;
	to->finished = true;
}

static void relay_pump(struct relay *relay, struct flow *flow, struct leg *source,
		       struct leg *target)
{
	uint64_t *total =
		flow == &relay->up ? &relay->env->stats->bytes_up : &relay->env->stats->bytes_down;
	uint64_t before = flow->bytes;
	enum flow_result result;

	if (flow->finished)
		return;
	result = flow_pump(flow, &relay->env->mover);
	backlog_update(&flow->backlog, flow->source, flow->bytes, ev_now(relay->env->loop));
	if (flow->bytes != before) {
		*total += flow->bytes - before;
		relay->last_activity = ev_now(relay->env->loop);
	}
	switch (result) {
	case FLOW_WAIT:
	case FLOW_MORE:
		break;
	case FLOW_ENDED:
		flow->finished = true;
		if (leg_lost_bytes(relay, source, flow))
			relay->end = CAUSE_BYTES_LOST;
		else if (!relay->dead)
			shutdown(target->fd, SHUT_WR);
		break;
	case FLOW_SOURCE_FAILED:
		flow->eof = true;
		flow->finished = true;
		relay_leg_died(relay, source);
		break;
	case FLOW_TARGET_FAILED:
		relay_leg_died(relay, target);
		break;
	case FLOW_NO_MEMORY:
		relay->end = CAUSE_RESOURCES;
		break;
	}
	relay_pace(relay, flow, source, (size_t)(flow->bytes - before), result);
}

/* After every change: is it over, and what is each leg to wait for? */
static void relay_settle(struct relay *relay)
{
	struct ev_loop *loop = relay->env->loop;
	bool half_closed = relay_half_closed(relay);

	if (relay->end == CAUSE_NONE && relay->dead && flow_from(relay, relay->dead)->finished) {
		if (leg_drained(relay, leg_other(relay, relay->dead)))
			relay->end = CAUSE_RESET;
		else
			ev_timer_again(loop, &relay->drain);
	}
	if (relay->end != CAUSE_NONE ||
	    (relay->up.finished && relay->down.finished && !relay->dead)) {
		relay_stop(relay);
		relay->notify(relay, RELAY_ENDED, relay->end);
		return;
	}
	leg_watch(relay, &relay->client);
	leg_watch(relay, &relay->server);
	if (half_closed && !relay->was_half_closed) {
		relay->was_half_closed = true;
		relay->notify(relay, RELAY_HALF_CLOSED, CAUSE_NONE);
	}
}

static void relay_on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct relay *relay = io->data;
	struct leg *leg = io == &relay->client.io ? &relay->client : &relay->server;
	struct leg *other = leg_other(relay, leg);

	(void)loop;
	if (events & EV_WRITE)
		relay_pump(relay, flow_to(relay, leg), other, leg);
	if (events & EV_READ)
		relay_pump(relay, flow_from(relay, leg), leg, other);
	relay_settle(relay);
}

static void relay_on_hup(void *owner)
{
	struct leg *leg = owner;
	struct relay *relay = leg->io.data;

	relay_leg_died(relay, leg);
	relay_settle(relay);
}

static void relay_on_tick(void *owner)
{
	struct leg *source = owner;
	struct relay *relay = source->io.data;
	struct flow *flow = flow_from(relay, source);

	if (flow->held.len > 0)
		return;
	relay_pump(relay, flow, source, leg_other(relay, source));
	relay_settle(relay);
}

static void relay_on_drain(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	relay_settle(timer->data);
}

void relay_init(struct relay *relay, struct relay_env *env, relay_notify_fn *notify)
{
	*relay = (struct relay){.env = env, .notify = notify};
	relay->client.fd = -1;
	relay->server.fd = -1;
	ev_init(&relay->client.io, relay_on_io);
	ev_init(&relay->server.io, relay_on_io);
	ev_init(&relay->drain, relay_on_drain);
}

void relay_prepare(struct relay *relay, enum tier_mode mode, const struct tick_config *tick)
{
	struct leg *client = &relay->client;
	struct leg *server = &relay->server;

	relay->tick = *tick;
	flow_init(&relay->up, client->fd, client->transport, server->fd, server->transport, mode);
	flow_init(&relay->down, server->fd, server->transport, client->fd, client->transport, mode);
}

void relay_start(struct relay *relay)
{
	ev_io_set(&relay->client.io, relay->client.fd, 0);
	ev_io_set(&relay->server.io, relay->server.fd, 0);
	relay->client.io.data = relay;
	relay->server.io.data = relay;
	relay->drain.repeat = DRAIN_POLL_S;
	relay->drain.data = relay;
	relay->last_activity = ev_now(relay->env->loop);
	backlog_begin(&relay->up.backlog, relay->up.source, relay->last_activity);
	backlog_begin(&relay->down.backlog, relay->down.source, relay->last_activity);
	relay_pump(relay, &relay->up, &relay->client, &relay->server);
	relay_pump(relay, &relay->down, &relay->server, &relay->client);
	relay_settle(relay);
}

void relay_stop(struct relay *relay)
{
	ev_timer_stop(relay->env->loop, &relay->drain);
	ev_io_stop(relay->env->loop, &relay->client.io);
	ev_io_stop(relay->env->loop, &relay->server.io);
	hup_remove(&relay->env->hup, &relay->client.hup);
	hup_remove(&relay->env->hup, &relay->server.hup);
	ticker_stop(&relay->env->ticker, &relay->up.tick);
	ticker_stop(&relay->env->ticker, &relay->down.tick);
	flow_drop(&relay->up, &relay->env->mover);
	flow_drop(&relay->down, &relay->env->mover);
}

bool relay_half_closed(const struct relay *relay)
{
	return relay->up.eof || relay->down.eof;
}
