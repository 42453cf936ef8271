/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One attempt to reach a destination by one exit. */
#include "upstream/hop.h"

#include <stdlib.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "links/link_choice.h"
#include "net/socket.h"
#include "net/socket_reset.h"
#include "upstream/dial.h"
#include "upstream/hop_private.h"

static void hop_close(struct hop *hop)
{
	ev_io_stop(hop->request.env.loop, &hop->io);
	write_pause_stop(&hop->pause, hop->request.env.loop);
	ev_timer_stop(hop->request.env.loop, &hop->silence);
	if (hop->dial)
		dial_cancel(hop->dial);
	hop->dial = NULL;
	/* Whatever waits there for a process that is stopped must not be acted upon later. */
	if (hop->fd >= 0)
		socket_reset(hop->fd);
	hop->fd = -1;
}

void hop_cancel(struct hop *hop)
{
	ev_timer_stop(hop->request.env.loop, &hop->deadline);
	hop_close(hop);
	sodium_memzero(&hop->answers, sizeof(hop->answers));
	free(hop);
}

void hop_finish(struct hop *hop, enum hop_outcome outcome, enum cause cause)
{
	const struct hop_result result = {
		.outcome = outcome,
		.fd = outcome == HOP_CONNECTED ? hop->fd : -1,
		.transport = hop->transport,
		.cause = cause,
		.bound = hop->answers.bound,
		.taken = hop->taken,
		.first_sent = hop->sent > hop->head_len ? hop->sent - hop->head_len : 0,
	};
	hop_fn *notify = hop->notify;
	void *context = hop->context;

	if (outcome == HOP_CONNECTED) {
		ev_io_stop(hop->request.env.loop, &hop->io);
		ev_timer_stop(hop->request.env.loop, &hop->silence);
		hop->fd = -1;
	}
	hop_cancel(hop);
	notify(context, &result);
}

/* What becomes of new sessions, where no exit is left; else "". */
static const char *hop_otherwise(const struct hop *hop)
{
	const struct config *config = hop->request.env.config;

	for (size_t i = 0; i < config->exit_count; i++)
		if (exit_state_is_usable(config->exits[i].state))
			return "";
	return config->when_no_exit == WHEN_NO_EXIT_DIRECT
		       ? "; no exit is left: new sessions go directly"
		       : "; no exit is left: new sessions are refused";
}

void hop_fail(struct hop *hop, enum cause cause)
{
	const char *name = hop->request.exit->name;

	if (hop->request.at)
		(void)exit_state_avoid(hop->exit, &hop->at, clock_monotonic_s());
	/* What we lack ourselves is not to be held against it, nor a full line. */
	else if (!hop->request.speed && cause != CAUSE_RESOURCES && !hop->blamed &&
		 exit_state_failed(hop->exit, cause, hop->started_s, clock_monotonic_s()))
		log_warning("exit %s is down: %s%s", name, cause_info(cause)->text,
			    hop_otherwise(hop));
	hop_finish(hop, hop->first_left ? HOP_EXIT_LOST : HOP_EXIT_FAILED, cause);
}

/* Whoever has this address is no reason to give the exit up: goes on to another one, but not once
 * first bytes have left. False: it has no other. */
static bool hop_leave_address(struct hop *hop, enum cause cause)
{
	char text[ADDRESS_TEXT_MAX];

	if (hop->blamed)
		return true;
	if (hop->accepted || !hop->others || hop->silent_count == EXIT_AVOIDED_MAX)
		return false;
	if (!hop->request.speed && exit_state_avoid(hop->exit, &hop->peer, clock_monotonic_s()))
		log_warning("exit %s: %s: %s; its other addresses are tried first from now on",
			    hop->request.exit->name, address_format_ip(&hop->peer, text),
			    cause_info(cause)->text);
	hop->silent[hop->silent_count++] = hop->peer;
	hop->silent_cause = cause;
	hop->blamed = hop->first_left;
	if (!hop->blamed)
		hop_connect(hop);
	return true;
}

void hop_fail_here(struct hop *hop, enum cause cause)
{
	if (!hop_leave_address(hop, cause) || hop->blamed)
		hop_fail(hop, cause);
}

/* If first bytes have left, a late answer is better than none. */
static void hop_on_silence(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	(void)hop_leave_address(timer->data, CAUSE_EXIT_SILENT);
}

static void hop_on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	hop_fail(timer->data, CAUSE_EXIT_SILENT);
}

/* Over a slow way an answer takes longer than half of exit-answer: twice the round trip is no
 * silence. */
static void hop_begin_silence(struct hop *hop)
{
	const double rtt_s = socket_rtt_us(hop->fd) / 1e6;
	const double half_s = hop->request.env.config->exit_answer_s / 2;

	hop->silence.repeat = 2 * rtt_s > half_s ? 2 * rtt_s : half_s;
	ev_timer_again(hop->request.env.loop, &hop->silence);
}

static void hop_on_dial(void *context, enum dial_event event, const struct dial_result *result)
{
	struct hop *hop = context;

	if (event == DIAL_CONNECTING)
		return;
	hop->dial = NULL;
	if (result->name != DIAL_NAME_UNKNOWN && !hop->request.speed)
		exit_state_set_name_late(hop->exit, result->name == DIAL_NAME_LATE);
	if (event == DIAL_FAILED && hop->skipped) {
		/* Better than nothing. */
		hop->avoids = hop->skipped = false;
		hop_connect(hop);
		return;
	}
	if (event == DIAL_FAILED) {
		hop_fail(hop, hop->silent_count > 0 ? hop->silent_cause : result->cause);
		return;
	}
	hop->fd = result->fd;
	hop->others = result->others;
	hop->peer = result->address;
	hop->transport = result->transport;
	/* The round trip of the handshake is none of the answer's. */
	if (hop->silent_count == 0)
		ev_timer_again(hop->request.env.loop, &hop->deadline);
	if (hop->others)
		hop_begin_silence(hop);
	hop_exchange(hop);
}

static bool hop_skips(void *context, const union address *address)
{
	struct hop *hop = context;

	for (size_t i = 0; i < hop->silent_count; i++)
		if (address_same_ip(&hop->silent[i], address))
			return true;
	if (!hop->avoids || !exit_state_avoids(hop->exit, address))
		return false;
	hop->skipped = true;
	return true;
}

/* What leaves with a SYN leaves by one link, and only its answer would tell whether that works. */
static bool hop_may_send_early(const struct hop *hop)
{
	return !hop->request.speed && exit_state_takes_early(hop->exit, clock_monotonic_s()) &&
	       !link_picker_has_others(hop->request.env.links);
}

static bool hop_is_probe(const struct hop *hop)
{
	return !hop->request.destination && !hop->request.speed;
}

void hop_connect(struct hop *hop)
{
	/* The configuration chose the exit: it may be anywhere. */
	static const union address ourselves = {
		.in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
	struct dial_request request;

	hop_close(hop);
	hop->exit_at = hop->request.exit->place.destination;
	if (hop->request.at) {
		hop->exit_at.host[0] = '\0';
		hop->exit_at.address = hop->at;
	}
	request = (struct dial_request){
		.env = hop->request.env,
		.pair = hop->request.pair,
		.destination = &hop->exit_at,
		.also = hop->request.at ? NULL : &hop->request.exit->place.also,
		.client = &ourselves,
		.egress.kind = EGRESS_ANYWHERE,
		.skip = hop_skips,
		.skip_context = hop,
		.known = hop->known,
		.known_count = exit_state_get_addresses(hop->exit, hop->known),
		.known_at_once = !hop_is_probe(hop) && exit_state_name_is_late(hop->exit),
		.ask_every_link = hop_is_probe(hop),
		.spread = true,
		.every_link = !hop->request.only,
		.fast_open = hop_may_send_early(hop),
		.only = hop->request.only,
		.plain = hop->request.only != NULL,
	};
	hop->dial = dial_start(&request, hop_on_dial, hop);
	/* Reported from the loop, since hop_start() has not returned. */
	if (!hop->dial)
		ev_feed_event(hop->request.env.loop, &hop->deadline, EV_CUSTOM);
}

struct hop *hop_start(const struct hop_request *request, hop_fn *notify, void *context)
{
	struct hop *hop = calloc(1, sizeof(*hop));

	if (!hop)
		return NULL;
	hop->request = *request;
	if (request->destination) {
		hop->destination = *request->destination;
		hop->request.destination = &hop->destination;
	}
	if (request->speed) {
		hop->speed = *request->speed;
		hop->request.speed = &hop->speed;
	}
	if (request->at) {
		hop->at = *request->at;
		hop->request.at = &hop->at;
	}
	hop->exit = request->exit->state;
	hop->avoids = request->at == NULL;
	hop->fd = -1;
	hop->notify = notify;
	hop->context = context;
	hop->started_s = clock_monotonic_s();
	ev_init(&hop->io, NULL);
	ev_timer_init(&hop->deadline, hop_on_deadline, 0., request->env.config->exit_answer_s);
	hop->deadline.data = hop;
	ev_timer_init(&hop->silence, hop_on_silence, 0., request->env.config->exit_answer_s / 2);
	hop->silence.data = hop;
	ev_timer_again(hop->request.env.loop, &hop->deadline);
	hop_connect(hop);
	return hop;
}
