/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One direction of a session: take from the source, give to the target, hold what it refuses. */
#include "relay/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/kernel.h"

/* What a tick may bring, as a multiple of what it should. */
#define TICK_ROOM 2

/* Whether splice(2) passes pages on from such a source, or to such a target. */
static bool passes_pages(enum transport transport, enum feature feature)
{
	return transport == TRANSPORT_TCP || kernel_feature(feature)->available;
}

static void flow_choose_tier(struct flow *flow, enum tier_mode mode, enum transport source,
			     enum transport target)
{
	const bool both_tcp = source == TRANSPORT_TCP && target == TRANSPORT_TCP;

	flow->tier = &tier_copy;
	if (mode == TIER_MODE_COPY) {
		flow->reason = "tier = copy";
	} else if (!kernel_feature(FEATURE_SPLICE)->available) {
		flow->reason = "no splice(2)";
	} else if (mode == TIER_MODE_SPLICE) {
		flow->tier = &tier_splice;
		flow->reason = "tier = splice";
	} else if (both_tcp) {
		flow->tier = &tier_splice;
		flow->reason = "both legs are TCP";
	} else if (passes_pages(source, FEATURE_SPLICE_FROM_MPTCP) &&
		   passes_pages(target, FEATURE_SPLICE_TO_MPTCP)) {
		flow->tier = &tier_splice;
		flow->reason = "the kernel splices MPTCP without copying";
	} else {
		/* There splice copies as well, and in small pieces. */
		flow->reason = "a leg is an MPTCP socket";
	}
}

void flow_init(struct flow *flow, int source, enum transport source_transport, int target,
	       enum transport target_transport, enum tier_mode mode)
{
	*flow = (struct flow){.source = source, .target = target};
	flow_choose_tier(flow, mode, source_transport, target_transport);
}

int flow_hold(struct flow *flow, const void *bytes, size_t len)
{
	if (len == 0)
		return 0;
	flow->held = (struct held){.tier = &tier_copy, .len = len, .owned = true};
	flow->held.data = malloc(len);
	if (!flow->held.data) {
		flow->held = (struct held){0};
		return -ENOMEM;
	}
	memcpy(flow->held.data, bytes, len);
	return 0;
}

void flow_set_tier(struct flow *flow, const struct tier *tier, const char *reason)
{
	flow->tier = tier;
	flow->reason = reason;
}

void flow_set_local(struct flow *flow, struct local_client *local)
{
	flow->local = local;
	flow_set_tier(flow, &tier_copy, "the client is on this host");
}

void flow_set_sockmap(struct flow *flow, struct sockmap_flow *sockmap)
{
	flow->sockmap = sockmap;
	flow->tier = &tier_copy;
}

enum flow_result flow_pump(struct flow *flow, struct io_buffers *buffers, const struct tune *tune)
{
	/* A tick should bring all that came since the last one. */
	size_t budget = flow->tick.active ? TICK_ROOM * (size_t)tune->tick_bytes : tune->pump_bytes;
	size_t allowance = flow->allowance;
	bool drained = false;

	for (;;) {
		ssize_t n;

		if (flow->held.len > 0) {
			if (flow->held.tier->give(flow, buffers))
				return FLOW_TARGET_FAILED;
			if (flow->held.len > 0)
				return flow->held.tier->keep(flow, buffers) ? FLOW_NO_MEMORY
									    : FLOW_WAIT;
		}
		if (flow->eof)
			return FLOW_ENDED;
		if (drained)
			return FLOW_WAIT;
		if (budget == 0 || allowance == 0)
			return FLOW_MORE;
		n = flow->tier->take(flow, buffers, allowance);
		if (n == -EAGAIN || n == -EINTR)
			return FLOW_WAIT;
		if (n < 0)
			return FLOW_SOURCE_FAILED;
		flow->eof = n == 0;
		flow->bytes += (uint64_t)n;
		flow->last_take = (uint32_t)n;
		/* Asking again would most likely be answered with EAGAIN. The loop is
		 * level-triggered, so a wrong guess costs a round, no data. */
		drained = (size_t)n < tune->short_take_bytes;
		allowance -= (size_t)n;
		budget -= (size_t)n < budget ? (size_t)n : budget;
	}
}

void flow_drop(struct flow *flow, struct io_buffers *buffers)
{
	if (flow->held.len > 0)
		flow->held.tier->drop(flow, buffers);
}
