/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What router and exit say to each other: all at once, and the answers to it. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/socket.h"
#include "upstream/hop_private.h"

/* With proof that it is the exit. */
static void hop_answered(const struct hop *hop, double rtt_s)
{
	double down_s;

	/* What is told of it would be the load. */
	if (hop->request.speed)
		return;
	down_s = exit_state_answered(hop->exit, rtt_s, clock_monotonic_s());
	if (down_s > 0)
		log_info("exit %s is up again, after %.0f s", hop->request.exit->name, down_s);
}

/* Its clock is right by definition. Half of the round trip has passed since it was read. */
static void hop_correct_clock(struct hop *hop, double rtt_s)
{
	const int64_t there_ms = (int64_t)hop->answers.time_ms + (int64_t)(rtt_s * 500);

	exit_state_set_clock_offset_ms(hop->exit, there_ms - (int64_t)clock_now_ms());
	hop->clock_corrected = true;
	hop_connect(hop);
}

static void hop_declined(struct hop *hop, double rtt_s)
{
	const enum hop_status status = hop->answers.status;
	const enum cause cause = hop_cause_of(status);

	/* Its MAC proves that it has passed nothing on; to be refused proves nothing. */
	if (status != HOP_REFUSED)
		hop->first_left = false;
	if (status == HOP_CLOCK && !hop->clock_corrected) {
		hop_correct_clock(hop, rtt_s);
	} else if (status == HOP_BUSY) {
		/* It is well, but has nothing for us. */
		hop_answered(hop, rtt_s);
		if (!hop->request.speed &&
		    episode_goes_on(exit_state_full(hop->exit), clock_monotonic_s()))
			log_warning("exit %s takes no more sessions of token %s: it has as many as "
				    "sessions= in the exit's token file allows%s",
				    hop->request.exit->name, hop->request.exit->tokens.token->name,
				    hop->request.env.config->when_no_exit == WHEN_NO_EXIT_DIRECT
					    ? "; without another exit they go directly"
					    : "");
		hop_finish(hop, HOP_EXIT_FAILED, cause);
	} else {
		hop_fail(hop, cause);
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
		exit_state_set_address(hop->exit, &hop->peer);
		if (hop->transport == TRANSPORT_TCP && socket_early_lost(hop->fd))
			exit_state_lost_early(hop->exit, clock_monotonic_s());
		hop_answered(hop, rtt_s);
		full_s = episode_ends(exit_state_full(hop->exit), clock_monotonic_s());
		if (full_s > 0)
			log_info("exit %s takes sessions of token %s again, after %.0f s",
				 hop->request.exit->name, hop->request.exit->tokens.token->name,
				 full_s);
		ev_timer_stop(hop->request.env.loop, &hop->silence);
		/* From now on it is the destination that is waited for. */
		if (hop->request.destination)
			ev_timer_stop(hop->request.env.loop, &hop->deadline);
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

static void hop_watch(struct hop *hop)
{
	const bool writes = hop->sent < hop->head_len + hop->request.first_len &&
			    !write_pause_holds(&hop->pause);

	ev_io_stop(hop->request.env.loop, &hop->io);
	ev_io_set(&hop->io, hop->fd, writes ? EV_READ | EV_WRITE : EV_READ);
	ev_io_start(hop->request.env.loop, &hop->io);
}

static void hop_on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	hop_watch(timer->data);
}

/* What is left of head and first bytes leaves as one piece. False: the hop is gone. */
static bool hop_write(struct hop *hop)
{
	const size_t of_head = hop->sent < hop->head_len ? hop->sent : hop->head_len;
	const size_t of_first = hop->sent - of_head;
	struct iovec parts[2] = {{hop->head + of_head, hop->head_len - of_head}};
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n;

	if (hop->request.first_len > of_first)
		parts[1] = (struct iovec){(uint8_t *)hop->request.first + of_first,
					  hop->request.first_len - of_first};
	n = sendmsg(hop->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EINPROGRESS) {
		hop_fail_here(hop, CAUSE_EXIT_BROKEN);
		return false;
	}
	hop->sent += n > 0 ? (size_t)n : 0;
	/* From now on nobody else may get them, whatever becomes of this connection. */
	if (hop->sent > hop->head_len)
		hop->first_left = true;
	write_pause_tried(&hop->pause, hop->request.env.loop, n > 0);
	hop_watch(hop);
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

/* Greeting, authentication and request. */
static void hop_write_head(struct hop *hop)
{
	struct hop_order order = {
		.token = hop->request.exit->tokens.token,
		.exit_name = hop->request.exit->name,
		.destination = hop->request.destination,
		.speed = hop->request.speed,
		.time_ms = clock_now_ms() + (uint64_t)exit_state_clock_offset_ms(hop->exit),
	};

	randombytes_buf(order.nonce, sizeof(order.nonce));
	hop->head_len = hop_head_write(hop->head, &order);
	hop->sent = 0;
	hop->in_len = 0;
	hop_answers_init(&hop->answers, &order);
}

void hop_exchange(struct hop *hop)
{
	ev_io_init(&hop->io, hop_on_io, hop->fd, EV_READ);
	hop->io.data = hop;
	write_pause_init(&hop->pause, hop_on_pause_over, hop);
	hop->taken = 0;
	hop->asked_s = clock_monotonic_s();
	hop_write_head(hop);
	hop_write(hop);
}
