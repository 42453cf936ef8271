/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way back of a pair whose packets the kernel forwards. */
#include "accel/packets_pair_private.h"
#include "accel/packets_way.h"
#include "accel/tcp_seat.h"
#include "base/clock.h"

/* By so much the time stamps that a peer sees jump ahead when the pair is taken back: no packet of
 * the clock before, which may still be on its way, is newer. Milliseconds. */
#define AHEAD_BACK_MS 1000U

/* When nobody has said anything for so long, though a byte is not acknowledged, the peers are to
 * say whether they are there. */
#define SILENT_S 5.

/* How long a pair waits for a moment when nothing is on its way; and when that will not come. A
 * peer may heed no window. */
#define PATIENT_S  20.
#define PRESSING_S 1.

/* For so long nothing is forwarded when it has not come: peers that miss something say again what
 * they have. */
#define STILL_S 1.

/* When a pair that is to be taken back is first looked at again. */
#define LOOK_S 0.001

static uint64_t pair_packets(const struct packets_pair *pair)
{
	return packets_pair_packets(pair, UP) + packets_pair_packets(pair, DOWN);
}

void packets_pair_listen(struct packets_pair *pair)
{
	pair->packets = pair_packets(pair);
	pair->silent_s = clock_monotonic_s();
}

double packets_pair_silence_s(struct packets_pair *pair)
{
	if (pair_packets(pair) != pair->packets) {
		packets_pair_listen(pair);
		pair->answered = true;
	}
	return clock_monotonic_s() - pair->silent_s;
}

/* Whether all that was forwarded has been acknowledged. */
static bool pair_is_quiet(const struct packets_pair *pair)
{
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		const struct hawser_packets_leg *leg = &pair->shared->legs[d];

		if ((uint32_t)__atomic_load_n(&leg->acked, __ATOMIC_SEQ_CST) !=
		    __atomic_load_n(&leg->end, __ATOMIC_SEQ_CST))
			return false;
	}
	return true;
}

/* Where an end is, as of the moment that was noted in its acked. */
static struct tcp_place end_place(const struct packets_pair *pair, enum direction d)
{
	const enum direction back = direction_opposite(d);
	const struct hawser_packets_leg *leg = &pair->shared->legs[d];
	const struct hawser_packets_leg *other = &pair->shared->legs[back];

	return (struct tcp_place){
		.expected = (uint32_t)pair->ends[d].acked,
		.next = (uint32_t)pair->ends[back].acked + other->seq_delta,
		.stamp = other->stamp + other->stamp_delta + AHEAD_BACK_MS,
		.peer_window = leg->window,
		.own_window = other->window,
	};
}

/* Puts the sockets where the peers are. 0 or -errno. */
static int pair_resume(struct packets_pair *pair)
{
	int err = 0;

	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct packets_end *end = &pair->ends[d];
		const struct tcp_place place = end_place(pair, d);
		uint32_t clock = 0;
		int failed = tcp_seat_resume(end->fd, &end->seat, &place);

		if (!failed)
			failed = tcp_seat_clock(end->fd, &clock);
		if (failed)
			err = failed;
		end->clock = clock - packets_now_ms();
		pair->shared->legs[d].own_acked = place.next;
	}
	return err;
}

static void pair_hold(struct packets_pair *pair, bool held)
{
	for (enum direction d = UP; d < DIRECTIONS; d++)
		__atomic_store_n(&pair->shared->legs[d].held, held, __ATOMIC_RELAXED);
}

/* Acknowledgements may still be noted by another CPU, of packets that it will not forward: of both
 * streams one look counts, for the sockets and for the bytes. */
static void pair_settle(struct packets_pair *pair)
{
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct packets_end *end = &pair->ends[d];

		end->acked = __atomic_load_n(&pair->shared->legs[d].acked, __ATOMIC_SEQ_CST);
		end->before += end->acked - end->since;
		end->since = end->acked;
	}
	pair->live = false;
}

bool packets_pair_thaw(struct packets_pair *pair)
{
	int err;

	pair_settle(pair);
	err = pair_resume(pair);
	pair->rests = false;
	pair->takes = pair->shared->takes;
	pair->pressing = false;
	pair->frozen_s = 0;
	/* Those before were wrong, as the peers are still there. */
	pair->shared->resets = 0;
	pair_hold(pair, false);
	(void)packets_pair_change(pair, HAWSER_PACKETS_FROZEN,
				  err ? HAWSER_PACKETS_FREE : HAWSER_PACKETS_LEARN);
	/* Also the one of which the other could not be put there: its peer is to be reset. */
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		const int failed = tcp_seat_wake(pair->ends[d].fd, &pair->ends[d].seat);

		if (failed)
			err = failed;
	}
	return !err;
}

/* Nothing is forwarded from now on. False: something is on its way, or it has ended. After a long
 * silence a byte that is not acknowledged may be: its sender, if it is there, sends it again, to us
 * then, and we to the receiver, which may have it. In the midst of many the two would not agree on
 * which those are (RFC 2018 section 8), and each may acknowledge bytes of which we know nothing,
 * so that a socket would heed nothing that it says: only when there is no other way, and after a
 * while in which it says so to the program. */
static bool pair_freeze(struct packets_pair *pair, double now_s)
{
	const bool silent = packets_pair_silence_s(pair) > SILENT_S;
	const bool forced = pair->wayless_s > 0 ||
			    now_s - pair->leaving_s > (pair->pressing ? PRESSING_S : PATIENT_S);

	if ((!silent && !forced && !pair_is_quiet(pair)) ||
	    !packets_pair_change(pair, HAWSER_PACKETS_TAKEN, HAWSER_PACKETS_FROZEN))
		return false;
	if (silent || pair_is_quiet(pair))
		return true;
	if (forced) {
		pair->frozen_s = now_s;
		poller_stop(&pair->silence);
	} else {
		(void)packets_pair_change(pair, HAWSER_PACKETS_FROZEN, HAWSER_PACKETS_TAKEN);
	}
	return false;
}

static void pair_look_at_leaving(void *owner);

/* Not by so much later as the looks have become. */
static void pair_look_again(struct packets_pair *pair, double first_s)
{
	poller_stop(&pair->leaving);
	poller_start(pair->poller, &pair->leaving, first_s, pair_look_at_leaving, pair);
}

/* Interfaces go and come back, as do routes. A socket waits for that as well, and as long. */
static bool pair_waits_for_way(struct packets_pair *pair, double now_s)
{
	if (packets_way_is_known(pair->worker, pair->ends, pair->shared)) {
		pair->wayless_s = 0;
		return false;
	}
	if (pair->wayless_s == 0)
		pair->wayless_s = now_s;
	return now_s - pair->wayless_s < tcp_seat_patience_s(pair->ends[UP].fd);
}

static void pair_look_at_leaving(void *owner)
{
	struct packets_pair *pair = owner;
	const double now_s = clock_monotonic_s();

	if (pair_waits_for_way(pair, now_s))
		return;
	if (pair->frozen_s > 0 ? now_s - pair->frozen_s < STILL_S : !pair_freeze(pair, now_s)) {
		/* That will be told. */
		if (packets_pair_is_over(pair))
			poller_stop(&pair->leaving);
		else if (pair->frozen_s == now_s)
			pair_look_again(pair, STILL_S);
		return;
	}
	poller_stop(&pair->silence);
	poller_stop(&pair->leaving);
	pair->notify(pair->owner, packets_pair_thaw(pair) ? PACKETS_PAIR_LEFT : PACKETS_PAIR_LOST);
}

void packets_pair_leave(struct packets_pair *pair)
{
	if (pair->leaving.poller)
		return;
	pair_hold(pair, true);
	pair->leaving_s = clock_monotonic_s();
	pair->wayless_s = 0;
	if (!pair->silence.poller)
		packets_pair_listen(pair);
	pair_look_again(pair, LOOK_S);
}
