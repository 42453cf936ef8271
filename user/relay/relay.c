/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pair of flows between two sockets: when each is pumped, and what each leg waits for. */
#include "base/histogram.h"
#include "base/loop_clock.h"
#include "relay/relay_private.h"

#include "net/kernel.h"
#include "net/socket.h"

/* So many ticks while the target takes nothing, and there are no more. */
#define IDLE_TICKS_MAX 64

struct leg *leg_other(struct relay *relay, const struct leg *leg)
{
	return leg == &relay->client ? &relay->server : &relay->client;
}

struct flow *flow_from(struct relay *relay, const struct leg *leg)
{
	return leg == &relay->client ? &relay->flows[UP] : &relay->flows[DOWN];
}

struct flow *flow_to(struct relay *relay, const struct leg *leg)
{
	return leg == &relay->client ? &relay->flows[DOWN] : &relay->flows[UP];
}

static void relay_on_hup(void *owner, bool dead);
static void relay_on_tick(void *owner);

void leg_watch_io(struct relay *relay, struct leg *leg, int events)
{
	if (events == (ev_is_active(&leg->io) ? leg->io.events & (EV_READ | EV_WRITE) : 0))
		return;
	ev_io_stop(relay->env->loop, &leg->io);
	ev_io_modify(&leg->io, events);
	if (events)
		ev_io_start(relay->env->loop, &leg->io);
}

/* What a leg waits for follows from whether the kernel moves its bytes, from what its two flows
 * hold, and from nothing else. */
static void leg_watch(struct relay *relay, struct leg *leg)
{
	const struct flow *from = flow_from(relay, leg);
	const struct flow *to = flow_to(relay, leg);
	bool in_kernel = relay_in_kernel(relay);
	int events = 0;

	if (!from->eof && from->held.len == 0 && !from->tick.active && !from->resting &&
	    !(leg->dead && from->sockmap))
		events |= EV_READ;
	if (to->held.len > 0 && !write_pause_holds(&leg->pause))
		events |= EV_WRITE;
	if (!in_kernel)
		leg_watch_io(relay, leg, events);
	/* A leg whose stream has ended and that nothing is written to may still be reset; one whose
	 * bytes the kernel moves may end as well. */
	if (leg->dead || relay->forwarded || (!in_kernel && (events || !from->eof)))
		hangup_remove(&relay->env->hangup, &leg->hangup);
	else
		hangup_add(&relay->env->hangup, &leg->hangup, leg->fd,
			   sockmap_pair_state(relay->pair) == SOCKMAP_PAIR_IN ? HANGUP_DEATH_OR_END
									      : HANGUP_DEATH,
			   relay_on_hup, leg);
}

/* After a look at the source that moved n bytes: when is the next one due? */
static void relay_pace(struct relay *relay, struct flow *flow, struct leg *source, size_t n)
{
	struct ticker *ticker = &relay->env->ticker;
	double now = loop_clock_s(relay->env->loop);
	uint32_t interval_us;

	if (flow->eof || flow->finished) {
		tick_stop(ticker, &flow->tick);
		return;
	}
	if (flow->held.len > 0)
		return; /* the target sets the policy now */
	if (flow->tick.active)
		interval_us =
			tick_policy_ticked(&flow->tick_policy, relay->config, n, now, flow->source,
					   flow->target, flow->tick.interval_us);
	else
		interval_us = tick_policy_woken(&flow->tick_policy, relay->config, n, now,
						flow->source, flow->target);
	if (interval_us == 0)
		tick_stop(ticker, &flow->tick);
	else if (flow->tick.active)
		flow->tick.interval_us = interval_us;
	else
		tick_start(ticker, &flow->tick, interval_us, relay_on_tick, source);
}

static enum relay_mover mover_of(const struct flow *flow)
{
	if (flow->local)
		return MOVER_LOCAL;
	return flow->tier == &tier_splice ? MOVER_SPLICE : MOVER_COPY;
}

static uint64_t *counter_of(const struct relay *relay, enum direction direction,
			    enum relay_mover mover)
{
	return &relay->env->counters
			->bytes[direction][mover][relay->client.transport][relay->server.transport];
}

void relay_count(struct relay *relay, const struct flow *flow, enum relay_mover mover,
		 uint64_t bytes)
{
	const enum direction direction = flow == &relay->flows[UP] ? UP : DOWN;

	if (bytes == 0)
		return;
	*counter_of(relay, direction, mover) += bytes;
	relay->last_activity = loop_clock_s(relay->env->loop);
	if (relay->asked_s > 0 && direction == DOWN) {
		/* The kernel does not tell when it moved something. */
		if (mover != MOVER_SOCKMAP && mover != MOVER_PACKETS)
			histogram_add(relay->env->first_byte,
				      relay->last_activity - relay->asked_s);
		relay->asked_s = 0;
	}
	if (relay->server.transport == TRANSPORT_MPTCP ||
	    relay->client.transport == TRANSPORT_MPTCP)
		relay->env->mptcp_moved(relay->env->mptcp_moved_arg);
}

void relay_pump(struct relay *relay, struct flow *flow, struct leg *source, struct leg *target)
{
	uint64_t before = flow->bytes;
	enum flow_result result;

	if (flow->finished || relay_in_kernel(relay) || !relay_packets_begin(relay))
		return;
	flow->allowance = relay->rate ? relay_rate_ask(relay, flow) : SIZE_MAX;
	result = flow_pump(flow, &relay->env->buffers, &relay->config->tune);
	if (relay->rate)
		relay_rate_settle(relay, flow, (size_t)(flow->bytes - before));
	relay_count(relay, flow, mover_of(flow), flow->bytes - before);
	relay->wants_kernel |= relay_wants_kernel(relay, flow, flow->bytes - before);
	switch (result) {
	case FLOW_WAIT:
	case FLOW_MORE:
		break;
	case FLOW_ENDED:
		relay_flow_ended(relay, flow, source, target);
		break;
	case FLOW_SOURCE_FAILED:
		relay_source_failed(relay, flow, source);
		break;
	case FLOW_TARGET_FAILED:
		relay_leg_died(relay, target);
		break;
	case FLOW_NO_MEMORY:
		flow_drop(flow, &relay->env->buffers);
		relay_fail(relay, CAUSE_RESOURCES);
		break;
	}
	/* With a rate it is its turns that set the policy. */
	if (!relay->rate)
		relay_pace(relay, flow, source, (size_t)(flow->bytes - before));
}

void relay_settle(struct relay *relay)
{
	if (relay->wants_kernel && relay->end == CAUSE_NONE && !relay_try_packets(relay))
		relay_try_sockmap(relay);
	relay->wants_kernel = false;
	relay_packets_end(relay);
	if (relay_is_over(relay)) {
		relay_stop(relay);
		relay->notify(relay, RELAY_ENDED, relay_outcome(relay));
		return;
	}
	relay_await_end(relay);
	leg_watch(relay, &relay->client);
	leg_watch(relay, &relay->server);
	if (relay_half_closed(relay) && !relay->was_half_closed) {
		relay->was_half_closed = true;
		relay->notify(relay, RELAY_HALF_CLOSED, CAUSE_NONE);
	}
}

static void relay_on_writable(struct relay *relay, struct leg *leg)
{
	struct flow *to = flow_to(relay, leg);
	const size_t held = to->held.len;
	const uint64_t bytes = to->bytes;

	relay_pump(relay, to, leg_other(relay, leg), leg);
	write_pause_tried(&leg->pause, relay->env->loop,
			  held == 0 || to->held.len != held || to->bytes != bytes);
}

static void relay_on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	relay_settle(timer->data);
}

static void relay_on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct relay *relay = io->data;
	struct leg *leg = io == &relay->client.io ? &relay->client : &relay->server;
	struct leg *other = leg_other(relay, leg);

	if (relay_in_kernel(relay)) {
		ev_io_stop(loop, io);
		return;
	}
	if (events & EV_WRITE)
		relay_on_writable(relay, leg);
	if (events & EV_READ)
		relay_pump(relay, flow_from(relay, leg), leg, other);
	relay_settle(relay);
}

static void relay_on_hup(void *owner, bool dead)
{
	struct leg *leg = owner;
	struct relay *relay = leg->io.data;

	if (relay->pair)
		sockmap_pair_leave(relay->pair, dead ? "a leg was reset" : "a stream has ended");
	if (dead)
		relay_leg_died(relay, leg);
	relay_settle(relay);
}

static void relay_on_tick(void *owner)
{
	struct leg *source = owner;
	struct relay *relay = source->io.data;
	struct flow *flow = flow_from(relay, source);

	if (flow->held.len > 0) {
		/* The target says when it takes more; if that takes long, ticks are idle. */
		if (++flow->idle_ticks >= IDLE_TICKS_MAX)
			tick_stop(&relay->env->ticker, &flow->tick);
		return;
	}
	flow->idle_ticks = 0;
	relay_pump(relay, flow, source, leg_other(relay, source));
	relay_settle(relay);
}

void relay_init(struct relay *relay, struct relay_env *env, relay_notify_fn *notify)
{
	*relay = (struct relay){.env = env, .notify = notify};
	relay->client.fd = -1;
	relay->server.fd = -1;
	ev_init(&relay->client.io, relay_on_io);
	ev_init(&relay->server.io, relay_on_io);
	write_pause_init(&relay->client.pause, relay_on_pause_over, relay);
	write_pause_init(&relay->server.pause, relay_on_pause_over, relay);
}

/* The path may have let MPTCP's handshake pass, and no more. */
static void leg_look_at_transport(struct leg *leg)
{
	if (leg->transport != TRANSPORT_TCP)
		leg->transport = mptcp_transport(leg->fd);
}

void relay_prepare(struct relay *relay, const struct relay_config *config, uint64_t session)
{
	struct leg *client = &relay->client;
	struct leg *server = &relay->server;
	enum tier_mode mode = config->tier;

	leg_look_at_transport(client);
	leg_look_at_transport(server);
	relay->config = config;
	relay->session = session;
	relay->unfit = !relay->env->sockmap || mode == TIER_MODE_COPY || mode == TIER_MODE_SPLICE ||
		       !relay_fits_sockmap(relay);
	flow_init(&relay->flows[UP], client->fd, client->transport, server->fd, server->transport,
		  mode);
	flow_init(&relay->flows[DOWN], server->fd, server->transport, client->fd, client->transport,
		  mode);
}

void relay_set_local(struct relay *relay, struct local_client *local)
{
	flow_set_local(&relay->flows[UP], local);
	relay->unfit = true;
}

void relay_start(struct relay *relay)
{
	ev_io_set(&relay->client.io, relay->client.fd, 0);
	ev_io_set(&relay->server.io, relay->server.fd, 0);
	relay->client.io.data = relay;
	relay->server.io.data = relay;
	relay->last_activity = loop_clock_s(relay->env->loop);
	relay_pump(relay, &relay->flows[UP], &relay->client, &relay->server);
	relay_pump(relay, &relay->flows[DOWN], &relay->server, &relay->client);
	relay_settle(relay);
}

void relay_stop(struct relay *relay)
{
	poller_stop(&relay->drain);
	relay_rate_stop(relay);
	ev_io_stop(relay->env->loop, &relay->client.io);
	ev_io_stop(relay->env->loop, &relay->server.io);
	write_pause_stop(&relay->client.pause, relay->env->loop);
	write_pause_stop(&relay->server.pause, relay->env->loop);
	hangup_remove(&relay->env->hangup, &relay->client.hangup);
	hangup_remove(&relay->env->hangup, &relay->server.hangup);
	tick_stop(&relay->env->ticker, &relay->flows[UP].tick);
	tick_stop(&relay->env->ticker, &relay->flows[DOWN].tick);
	flow_drop(&relay->flows[UP], &relay->env->buffers);
	flow_drop(&relay->flows[DOWN], &relay->env->buffers);
	relay_refresh(relay);
	sockmap_pair_free(relay->pair);
	relay->pair = NULL;
	packets_pair_free(relay->packets);
	relay->packets = NULL;
	relay->forwarded = false;
}

/* The upper bits of dice that choose a length in time. */
#define DICE_SHIFT 8

void relay_shake(struct relay *relay, unsigned int dice)
{
	struct flow *flow = dice & 1 ? &relay->flows[UP] : &relay->flows[DOWN];
	struct leg *source = dice & 1 ? &relay->client : &relay->server;
	struct ticker *ticker = &relay->env->ticker;

	switch (dice >> 1 & 3) {
	case 0:
		if (relay->forwarded)
			relay_take_back(relay, "torture");
		else if (relay_in_sockmap(relay))
			sockmap_pair_leave(relay->pair, "torture");
		else
			relay->wants_kernel = true;
		break;
	case 1:
		if (flow->tick.active)
			tick_stop(ticker, &flow->tick);
		else if (!relay_in_kernel(relay) && !flow->eof && flow->held.len == 0)
			tick_start(ticker, &flow->tick, 500 + (dice >> DICE_SHIFT) % 5000,
				   relay_on_tick, source);
		break;
	default:
		if (!flow->sockmap && !flow->local && kernel_feature(FEATURE_SPLICE)->available)
			flow_set_tier(flow, flow->tier == &tier_copy ? &tier_splice : &tier_copy,
				      "torture");
		break;
	}
	relay_settle(relay);
}

void relay_count_first(struct relay *relay, size_t bytes)
{
	*counter_of(relay, UP, MOVER_COPY) += bytes;
}

uint64_t relay_counters_sum(const struct relay_counters *counters, enum direction direction)
{
	const uint64_t *counter = &counters->bytes[direction][0][0][0];
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(counters->bytes[0]) / sizeof(*counter); i++)
		sum += counter[i];
	return sum;
}

const char *relay_mover_name(enum relay_mover mover)
{
	static const char *const names[RELAY_MOVERS] = {
		[MOVER_COPY] = "copy",	     [MOVER_SPLICE] = "splice", [MOVER_SOCKMAP] = "sockmap",
		[MOVER_PACKETS] = "packets", [MOVER_LOCAL] = "local",
	};

	return names[mover];
}

const char *relay_tier(const struct relay *relay, const struct flow *flow)
{
	if (relay->forwarded || relay->forwarded_last)
		return relay_mover_name(MOVER_PACKETS);
	return relay_mover_name(relay_in_sockmap(relay) ? MOVER_SOCKMAP : mover_of(flow));
}

const char *relay_reason(const struct relay *relay, const struct flow *flow)
{
	if (relay->forwarded || relay->forwarded_last)
		return relay->config->tier == TIER_MODE_PACKETS ? "tier = packets" : "chat";
	if (relay_in_sockmap(relay))
		return relay->config->tier == TIER_MODE_SOCKMAP ? "tier = sockmap" : "chat";
	if (relay->config->tier == TIER_MODE_PACKETS)
		return relay_packets_refusal(relay) ? relay_packets_refusal(relay)
						    : "packets: no quiet moment yet";
	if (flow->sockmap && sockmap_pair_reason(relay->pair))
		return sockmap_pair_reason(relay->pair);
	if (relay->not_forwarded && config_wants_packets(relay->config))
		return relay->not_forwarded;
	return flow->reason;
}

bool relay_in_kernel(const struct relay *relay)
{
	return relay->forwarded || relay_in_sockmap(relay);
}

bool relay_half_closed(const struct relay *relay)
{
	return relay->flows[UP].eof || relay->flows[DOWN].eof;
}
