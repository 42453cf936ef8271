/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One attempt to reach a destination by one exit. */
#include "upstream/hop.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "links/link_choice.h"
#include "net/socket.h"
#include "net/socket_reset.h"
#include "proto/hop_message.h"
#include "shared/exit_state.h"
#include "upstream/dial.h"

struct hop {
	struct ev_loop *loop;
	struct resolver *resolver;
	struct mptcp_blackhole *mptcp_blackhole;
	struct link_picker *links;
	struct affinity *affinity;
	struct affinity_pair pair;
	const struct config *config;
	const struct exit_config *exit;
	struct destination destination;
	bool probe;
	union address at; /* AF_UNSPEC: any of the exit's addresses */
	uint8_t *first;
	size_t first_len;
	struct dial *dial; /* NULL once connected */
	int fd;
	union address peer;
	enum transport transport;
	ev_io io;
	ev_timer deadline; /* of the exit's answer */
	ev_timer silence;  /* of one address, when there are others */
	double started_s;  /* of clock_monotonic_s(), as is the next */
	double asked_s;	   /* when the message was sent */
	/* Addresses that took the connection and did not answer, and the cause. */
	union address silent[EXIT_AVOIDED_MAX];
	size_t silent_count;
	enum cause silent_cause;
	bool others;  /* addresses to go on to, perhaps */
	bool avoids;  /* what the exit is known not to answer at */
	bool skipped; /* some of that */
	bool clock_corrected;
	bool accepted;
	bool first_left; /* the exit may have some of the first bytes, and have passed them on */
	bool blamed;	 /* it is who has this address that does not answer, not the exit */
	/* What is still to be sent: head and first bytes from out_at on. */
	uint8_t *out;
	size_t out_len;
	size_t out_at;
	struct hop_answers answers;
	uint8_t in[HOP_MESSAGE_MAX]; /* of one message */
	size_t in_len;
	uint64_t taken; /* bytes that were read from fd */
	hop_fn *notify;
	void *context;
};

static void hop_on_deadline(struct ev_loop *loop, ev_timer *timer, int events);
static void hop_on_io(struct ev_loop *loop, ev_io *io, int events);
static void hop_begin(struct hop *hop);

static void hop_close(struct hop *hop)
{
	ev_io_stop(hop->loop, &hop->io);
	ev_timer_stop(hop->loop, &hop->silence);
	if (hop->dial)
		dial_cancel(hop->dial);
	hop->dial = NULL;
	/* Whatever waits there for a process that is stopped must not be acted upon later. */
	if (hop->fd >= 0)
		socket_reset(hop->fd);
	hop->fd = -1;
	free(hop->out);
	hop->out = NULL;
}

static void hop_free(struct hop *hop)
{
	ev_timer_stop(hop->loop, &hop->deadline);
	hop_close(hop);
	sodium_memzero(&hop->answers, sizeof(hop->answers));
	free(hop->first);
	free(hop);
}

void hop_cancel(struct hop *hop)
{
	hop_free(hop);
}

static void hop_finish(struct hop *hop, enum hop_outcome outcome, enum cause cause)
{
	const struct hop_result result = {
		.outcome = outcome,
		.fd = outcome == HOP_CONNECTED ? hop->fd : -1,
		.transport = hop->transport,
		.cause = cause,
		.bound = hop->answers.bound,
		.taken = hop->taken,
	};
	hop_fn *notify = hop->notify;
	void *context = hop->context;

	if (outcome == HOP_CONNECTED) {
		ev_io_stop(hop->loop, &hop->io);
		ev_timer_stop(hop->loop, &hop->silence);
		hop->fd = -1;
	}
	hop_free(hop);
	notify(context, &result);
}

/* What becomes of new sessions, where no exit is left; else "". */
static const char *hop_otherwise(const struct hop *hop)
{
	const struct config *config = hop->config;

	for (size_t i = 0; i < config->exit_count; i++)
		if (exit_state_is_usable(config->exits[i].state))
			return "";
	return config->when_no_exit == WHEN_NO_EXIT_DIRECT
		       ? "; no exit is left: new sessions go directly"
		       : "; no exit is left: new sessions are refused";
}

/* With proof that it is the exit. */
static void hop_answered(const struct hop *hop, double rtt_s)
{
	const double down_s = exit_state_answered(hop->exit->state, rtt_s, clock_monotonic_s());

	if (down_s > 0)
		log_info("exit %s is up again, after %.0f s", hop->exit->name, down_s);
}

/* By the exit's fault, or that of the way to it. */
static void hop_fail(struct hop *hop, enum cause cause)
{
	const struct exit_config *exit = hop->exit;

	if (hop->at.sa.sa_family != AF_UNSPEC)
		(void)exit_state_avoid(exit->state, &hop->at, clock_monotonic_s());
	/* What we lack ourselves is not to be held against it. */
	else if (cause != CAUSE_RESOURCES && !hop->blamed &&
		 exit_state_failed(exit->state, cause, hop->started_s, clock_monotonic_s()))
		log_warning("exit %s is down: %s%s", exit->name, cause_info(cause)->text,
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
	if (exit_state_avoid(hop->exit->state, &hop->peer, clock_monotonic_s()))
		log_warning("exit %s: %s: %s; its other addresses come first now", hop->exit->name,
			    address_format_ip(&hop->peer, text), cause_info(cause)->text);
	hop->silent[hop->silent_count++] = hop->peer;
	hop->silent_cause = cause;
	hop->blamed = hop->first_left;
	if (!hop->blamed) {
		hop_close(hop);
		hop_begin(hop);
	}
	return true;
}

/* By the fault of who has this address, if not the exit's. */
static void hop_fail_here(struct hop *hop, enum cause cause)
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

/* Its clock is right by definition. Half of the round trip has passed since it was read. */
static void hop_correct_clock(struct hop *hop, double rtt_s)
{
	const int64_t there_ms = (int64_t)hop->answers.time_ms + (int64_t)(rtt_s * 500);

	exit_state_set_clock_offset_ms(hop->exit->state, there_ms - (int64_t)clock_now_ms());
	hop->clock_corrected = true;
	hop_close(hop);
	hop_begin(hop);
}

static void hop_declined(struct hop *hop, double rtt_s)
{
	/* Its MAC proves that it has passed nothing on; to be refused proves nothing. */
	if (hop->answers.status != HOP_REFUSED)
		hop->first_left = false;
	switch (hop->answers.status) {
	case HOP_CLOCK:
		if (!hop->clock_corrected)
			hop_correct_clock(hop, rtt_s);
		else
			hop_fail(hop, CAUSE_CLOCK);
		return;
	case HOP_BUSY:
		/* It is well, but has nothing for us. */
		hop_answered(hop, rtt_s);
		if (episode_goes_on(exit_state_full(hop->exit->state), clock_monotonic_s()))
			log_warning("exit %s takes no more sessions of token %s: it has as many as "
				    "sessions= in the exit's token file allows%s",
				    hop->exit->name, hop->exit->tokens.token->name,
				    hop->config->when_no_exit == WHEN_NO_EXIT_DIRECT
					    ? "; without another exit they go directly"
					    : "");
		hop_finish(hop, HOP_EXIT_FAILED, CAUSE_LIMIT);
		return;
	default:
		hop_fail(hop, CAUSE_AUTH_FAILED);
	}
}

/* A message is whole. False: the hop is gone, or has begun anew. */
static bool hop_read_message(struct hop *hop)
{
	const double rtt_s = clock_monotonic_s() - hop->asked_s;
	const enum hop_event event = hop_answers_read(&hop->answers, hop->in);
	double full_s;

	hop->in_len = 0;
	switch (event) {
	case HOP_EVENT_MORE:
		return true;
	case HOP_EVENT_ACCEPTED:
		hop->accepted = true;
		/* Where it is, whatever its name says from now on. */
		exit_state_set_address(hop->exit->state, &hop->peer);
		if (hop->transport == TRANSPORT_TCP && socket_early_lost(hop->fd))
			exit_state_lost_early(hop->exit->state, clock_monotonic_s());
		hop_answered(hop, rtt_s);
		full_s = episode_ends(exit_state_full(hop->exit->state), clock_monotonic_s());
		if (full_s > 0)
			log_info("exit %s takes sessions of token %s again, after %.0f s",
				 hop->exit->name, hop->exit->tokens.token->name, full_s);
		ev_timer_stop(hop->loop, &hop->silence);
		/* From now on it is the destination that is waited for. */
		if (!hop->probe)
			ev_timer_stop(hop->loop, &hop->deadline);
		return true;
	case HOP_EVENT_REPLIED:
		hop_finish(hop,
			   hop->answers.cause == CAUSE_NONE ? HOP_CONNECTED
							    : HOP_DESTINATION_FAILED,
			   hop->answers.cause);
		return false;
	case HOP_EVENT_DECLINED:
		hop_declined(hop, rtt_s);
		return false;
	default:
		hop_fail_here(hop, CAUSE_EXIT_BROKEN);
		return false;
	}
}

/* Only of a connection that is still being opened. */
static bool hop_was_early(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

/* Takes not a byte more than the answers have: what follows is the destination's. */
static void hop_read(struct hop *hop)
{
	for (;;) {
		const size_t size = hop_answers_size(&hop->answers);
		ssize_t n = recv(hop->fd, hop->in + hop->in_len, size - hop->in_len, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			hop_fail_here(hop, n < 0 && hop_was_early(errno) ? cause_from_errno(errno)
									 : CAUSE_EXIT_BROKEN);
			return;
		}
		hop->in_len += (size_t)n;
		hop->taken += (uint64_t)n;
		if (hop->in_len == size && !hop_read_message(hop))
			return;
	}
}

/* False: the hop is gone. */
static bool hop_write(struct hop *hop)
{
	ssize_t n = send(hop->fd, hop->out + hop->out_at, hop->out_len - hop->out_at,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EINPROGRESS) {
		hop_fail_here(hop, CAUSE_EXIT_BROKEN);
		return false;
	}
	hop->out_at += n > 0 ? (size_t)n : 0;
	/* From now on nobody else may get them, whatever becomes of this connection. */
	if (hop->out_at > hop->out_len - hop->first_len)
		hop->first_left = true;
	ev_io_stop(hop->loop, &hop->io);
	ev_io_set(&hop->io, hop->fd, hop->out_at < hop->out_len ? EV_READ | EV_WRITE : EV_READ);
	ev_io_start(hop->loop, &hop->io);
	return true;
}

static void hop_on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct hop *hop = io->data;

	(void)loop;
	if (events & EV_WRITE && !hop_write(hop))
		return;
	if (events & EV_READ)
		hop_read(hop);
}

/* Greeting, authentication, request and the client's first bytes, as one piece. 0 or -ENOMEM. */
static int hop_write_head(struct hop *hop)
{
	struct hop_order order = {
		.token = hop->exit->tokens.token,
		.exit_name = hop->exit->name,
		.destination = hop->probe ? NULL : &hop->destination,
		.time_ms = clock_now_ms() + (uint64_t)exit_state_clock_offset_ms(hop->exit->state),
	};

	hop->out = malloc(HOP_HEAD_MAX + hop->first_len);
	if (!hop->out)
		return -ENOMEM;
	randombytes_buf(order.nonce, sizeof(order.nonce));
	hop->out_len = hop_head_write(hop->out, &order);
	hop->out_at = 0;
	if (hop->first_len > 0)
		memcpy(hop->out + hop->out_len, hop->first, hop->first_len);
	hop->out_len += hop->first_len;
	hop->in_len = 0;
	hop_answers_init(&hop->answers, &order);
	return 0;
}

/* Over a slow way an answer takes longer than half of exit-answer: twice the round trip is no
 * silence. */
static void hop_begin_silence(struct hop *hop)
{
	const double rtt_s = socket_rtt_us(hop->fd) / 1e6;
	const double half_s = hop->config->exit_answer_s / 2;

	hop->silence.repeat = 2 * rtt_s > half_s ? 2 * rtt_s : half_s;
	ev_timer_again(hop->loop, &hop->silence);
}

static void hop_on_dial(void *context, enum dial_event event, const struct dial_result *result)
{
	struct hop *hop = context;

	if (event == DIAL_CONNECTING)
		return;
	hop->dial = NULL;
	if (result->name != DIAL_NAME_UNKNOWN)
		exit_state_set_name_late(hop->exit->state, result->name == DIAL_NAME_LATE);
	if (event == DIAL_FAILED && hop->skipped) {
		/* Better than nothing. */
		hop->avoids = hop->skipped = false;
		hop_begin(hop);
		return;
	}
	if (event == DIAL_FAILED) {
		hop_fail(hop, hop->silent_count > 0 ? hop->silent_cause : result->cause);
		return;
	}
	hop->fd = result->fd;
	hop->taken = 0;
	hop->others = result->others;
	hop->peer = result->address;
	hop->transport = result->transport;
	ev_io_init(&hop->io, hop_on_io, hop->fd, EV_READ);
	hop->io.data = hop;
	if (hop_write_head(hop)) {
		hop_fail(hop, CAUSE_RESOURCES);
		return;
	}
	hop->asked_s = clock_monotonic_s();
	/* The round trip of the handshake is none of the answer's. */
	if (hop->silent_count == 0)
		ev_timer_again(hop->loop, &hop->deadline);
	if (hop->others)
		hop_begin_silence(hop);
	hop_write(hop);
}

static bool hop_skips(void *context, const union address *address)
{
	struct hop *hop = context;

	for (size_t i = 0; i < hop->silent_count; i++)
		if (address_same_ip(&hop->silent[i], address))
			return true;
	if (!hop->avoids || !exit_state_avoids(hop->exit->state, address))
		return false;
	hop->skipped = true;
	return true;
}

/* What leaves with a SYN leaves by one link, and only its answer would tell whether that works. */
static bool hop_may_send_early(const struct hop *hop)
{
	return exit_state_takes_early(hop->exit->state, clock_monotonic_s()) &&
	       !link_picker_has_others(hop->links);
}

static void hop_begin(struct hop *hop)
{
	/* The configuration chose the exit: it may be anywhere. */
	static const union address ourselves = {
		.in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
	struct exit_state *exit = hop->exit->state;
	struct destination destination = hop->exit->destination;
	union address known[EXIT_ADDRESSES_MAX];
	struct dial_request request;

	if (hop->at.sa.sa_family != AF_UNSPEC) {
		destination.host[0] = '\0';
		destination.address = hop->at;
	}
	request = (struct dial_request){
		.loop = hop->loop,
		.resolver = hop->resolver,
		.mptcp_blackhole = hop->mptcp_blackhole,
		.links = hop->links,
		.affinity = hop->affinity,
		.pair = hop->pair,
		.config = hop->config,
		.destination = &destination,
		.client = &ourselves,
		.egress.kind = EGRESS_ANYWHERE,
		.skip = hop_skips,
		.skip_context = hop,
		.known = known,
		.known_count = exit_state_get_addresses(exit, known),
		.known_at_once = !hop->probe && exit_state_name_is_late(exit),
		.ask_every_link = hop->probe,
		.spread = true,
		.every_link = true,
		.fast_open = hop_may_send_early(hop),
	};
	hop->dial = dial_start(&request, hop_on_dial, hop);
	/* Reported from the loop, since hop_start() has not returned. */
	if (!hop->dial)
		ev_feed_event(hop->loop, &hop->deadline, EV_CUSTOM);
}

struct hop *hop_start(const struct hop_request *request, hop_fn *notify, void *context)
{
	struct hop *hop = calloc(1, sizeof(*hop));

	if (!hop)
		return NULL;
	hop->loop = request->loop;
	hop->resolver = request->resolver;
	hop->mptcp_blackhole = request->mptcp_blackhole;
	hop->links = request->links;
	hop->affinity = request->affinity;
	hop->pair = request->pair;
	hop->config = request->config;
	hop->exit = request->exit;
	hop->probe = request->destination == NULL;
	if (!hop->probe)
		hop->destination = *request->destination;
	if (request->at)
		hop->at = *request->at;
	hop->avoids = request->at == NULL;
	hop->fd = -1;
	hop->notify = notify;
	hop->context = context;
	hop->started_s = clock_monotonic_s();
	ev_init(&hop->io, hop_on_io);
	ev_timer_init(&hop->deadline, hop_on_deadline, 0., hop->config->exit_answer_s);
	hop->deadline.data = hop;
	ev_timer_init(&hop->silence, hop_on_silence, 0., hop->config->exit_answer_s / 2);
	hop->silence.data = hop;
	if (request->first_len > 0) {
		hop->first = malloc(request->first_len);
		if (!hop->first) {
			free(hop);
			return NULL;
		}
		memcpy(hop->first, request->first, request->first_len);
		hop->first_len = request->first_len;
	}
	ev_timer_again(hop->loop, &hop->deadline);
	hop_begin(hop);
	return hop;
}
