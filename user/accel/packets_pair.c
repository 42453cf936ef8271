/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two connections of a session whose packets the kernel may forward. */
#include "accel/packets_pair.h"

#include <errno.h>
#include <stdlib.h>

#include "accel/packets_learn.h"
#include "accel/tcp_seat.h"
#include "base/clock.h"

/* By so much the time stamps that a peer sees jump ahead when the pair is taken, and taken back: no
 * packet of the clock before, which may still be on its way, is newer. Milliseconds. */
#define AHEAD_MS      4000U
#define AHEAD_BACK_MS 1000U

/* When nobody has said anything for so long after a reset, it was right. */
#define RESET_S 1.

/* When nobody has said anything for so long, though a byte is not acknowledged, or somebody has
 * spoken after a reset, the peers are to say whether they are there. */
#define SILENT_S 5.

/* When a pair that is to be taken back is first looked at again. */
#define LOOK_S 0.001

struct packets_pair {
	struct packets_worker *worker;
	struct poller *poller;
	struct hawser_packets_pair *shared;
	int slot;
	bool agreed; /* nothing waits in the sockets that the program has not seen */
	bool rests;  /* the sockets do */
	bool reset;
	bool careful;			     /* not where packets get lost */
	struct packets_end ends[DIRECTIONS]; /* by the direction from it */
	struct poll_watch silence;	     /* after a reset */
	struct poll_watch leaving;
	uint64_t packets; /* when that was looked at last */
	double silent_s;  /* since when no other has come */
	bool answered;	  /* one has, since the reset */
	packets_pair_fn *notify;
	void *owner;
};

static uint32_t state_of(uint64_t word)
{
	return (uint32_t)(word & HAWSER_PACKETS_STATE);
}

static uint64_t word_get(const struct packets_pair *pair)
{
	return __atomic_load_n(&pair->shared->word, __ATOMIC_SEQ_CST);
}

/* Changes the state from one to another, whatever is counted meanwhile. False: it was a third. */
static bool word_change(struct packets_pair *pair, enum hawser_packets_state from,
			enum hawser_packets_state to)
{
	__u64 word = word_get(pair);

	while (state_of(word) == from)
		if (__atomic_compare_exchange_n(
			    &pair->shared->word, &word,
			    ((word & ~HAWSER_PACKETS_STATE) + HAWSER_PACKETS_ONE) | to, false,
			    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

struct packets_pair *packets_pair_new(const struct packets_pair_request *request,
				      const char **reason)
{
	struct hawser_packets_pair shared = {.word = HAWSER_PACKETS_LEARN,
					     .session = request->session};
	struct packets_pair *pair = calloc(1, sizeof(*pair));
	int err;

	*reason = "out of memory";
	if (!pair)
		return NULL;
	pair->worker = request->worker;
	pair->poller = request->poller;
	pair->ends[UP].fd = request->client;
	pair->ends[DOWN].fd = request->server;
	pair->careful = request->careful;
	pair->notify = request->notify;
	pair->owner = request->owner;
	*reason = request->careful ? packets_ends_differ(pair->ends) : NULL;
	err = EOPNOTSUPP;
	if (!*reason) {
		*reason = packets_learn(pair->worker, pair->ends, request->bytes, &shared);
		err = errno;
	}
	if (!*reason) {
		pair->slot = packets_enter(pair->worker, &shared, pair, &pair->shared);
		if (pair->slot >= 0)
			return pair;
		err = -pair->slot;
		*reason = err == ENOSPC ? "no slot is free" : "the kernel takes no more pairs";
	}
	free(pair);
	errno = err;
	return NULL;
}

/* Whether the program has seen a packet of its peer, and the clock in it: 0 once in 49 days is
 * none.
 */
static bool leg_is_known(const struct hawser_packets_leg *leg)
{
	return __atomic_load_n(&leg->ifindex, __ATOMIC_ACQUIRE) &&
	       (!leg->stamps || __atomic_load_n(&leg->stamp, __ATOMIC_RELAXED));
}

void packets_pair_arm(struct packets_pair *pair, const uint64_t bytes[DIRECTIONS])
{
	struct hawser_packets_pair *shared = pair->shared;
	const double now_s = clock_monotonic_s();
	const uint32_t now = (uint32_t)(uint64_t)(now_s * 1e3);

	if (state_of(word_get(pair)) != HAWSER_PACKETS_LEARN || !leg_is_known(&shared->legs[UP]) ||
	    !leg_is_known(&shared->legs[DOWN]))
		return;
	if (!pair->agreed)
		pair->agreed = packets_ends_are_clear(pair->ends);
	if (!pair->agreed)
		return;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct hawser_packets_leg *leg = &shared->legs[d];
		const struct packets_end *end = &pair->ends[d];
		const struct packets_end *other = &pair->ends[direction_opposite(d)];
		const uint32_t stamp = __atomic_load_n(&leg->stamp, __ATOMIC_RELAXED);

		leg->copied = end->copied + (uint32_t)bytes[d];
		leg->written = end->written + (uint32_t)bytes[direction_opposite(d)];
		leg->acked = leg->copied;
		leg->stamp_delta = other->clock + now + AHEAD_MS - stamp;
		leg->stamp_floor = stamp;
		leg->has_fin = 0;
	}
	shared->armed_ns = (uint64_t)(now_s * 1e9);
	(void)word_change(pair, HAWSER_PACKETS_LEARN, HAWSER_PACKETS_ARMED);
}

/* Both streams have ended. A pair that was taken is free when, besides, a peer has begun another
 * connection with the same ports. */
static bool pair_is_over(const struct packets_pair *pair)
{
	const uint32_t state = state_of(word_get(pair));

	return state == HAWSER_PACKETS_CLOSED || (pair->rests && state == HAWSER_PACKETS_FREE);
}

static bool pair_is_taken(const struct packets_pair *pair)
{
	return state_of(word_get(pair)) == HAWSER_PACKETS_TAKEN || pair_is_over(pair);
}

/* After the pair was taken. What the sockets hold has been acknowledged, or is forwarded. */
static void pair_rest(struct packets_pair *pair)
{
	const struct packets_end *client = &pair->ends[UP];
	const struct packets_end *server = &pair->ends[DOWN];

	pair->rests = true;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct packets_end *end = &pair->ends[d];
		const struct tcp_place place = {.expected = pair->shared->legs[d].copied,
						.next = pair->shared->legs[d].written};

		/* If it fails, its ports are not kept, and no more. */
		(void)tcp_seat_rest(end->fd, &end->seat, &place);
	}
	packets_untrack(pair->worker, &client->peer, &client->own, &server->own, &server->peer);
}

bool packets_pair_disarm(struct packets_pair *pair)
{
	if (word_change(pair, HAWSER_PACKETS_ARMED, HAWSER_PACKETS_LEARN) ||
	    state_of(word_get(pair)) == HAWSER_PACKETS_LEARN)
		return true;
	if (!pair->rests)
		pair_rest(pair);
	return false;
}

static uint64_t pair_packets(const struct packets_pair *pair)
{
	return packets_pair_packets(pair, UP) + packets_pair_packets(pair, DOWN);
}

/* Whether all that was forwarded has been acknowledged. */
static bool pair_is_quiet(const struct packets_pair *pair)
{
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		const struct hawser_packets_leg *leg = &pair->shared->legs[d];

		if (__atomic_load_n(&leg->acked, __ATOMIC_SEQ_CST) !=
		    __atomic_load_n(&leg->end, __ATOMIC_SEQ_CST))
			return false;
	}
	return true;
}

/* For how long nobody has said anything, as far as it was looked at. */
static double pair_silence_s(struct packets_pair *pair)
{
	const uint64_t packets = pair_packets(pair);
	const double now_s = clock_monotonic_s();

	if (packets != pair->packets) {
		pair->packets = packets;
		pair->silent_s = now_s;
		pair->answered = true;
	}
	return now_s - pair->silent_s;
}

static void pair_look_for_silence(void *owner)
{
	struct packets_pair *pair = owner;
	const double silence_s = pair_silence_s(pair);

	if (silence_s < (pair->answered ? SILENT_S : RESET_S))
		return;
	/* The reset was wrong, or what came after it had crossed it on its way. The silence so far
	 * counts. */
	if (pair->answered) {
		packets_pair_leave(pair);
		poller_stop(&pair->silence);
		return;
	}
	poller_stop(&pair->silence);
	poller_stop(&pair->leaving);
	pair->reset = true;
	pair->notify(pair->owner, PACKETS_PAIR_RESET);
}

static void pair_on_reset(struct packets_pair *pair)
{
	poller_stop(&pair->silence);
	pair->packets = pair_packets(pair);
	pair->silent_s = clock_monotonic_s();
	pair->answered = false;
	poller_start(pair->poller, &pair->silence, RESET_S, pair_look_for_silence, pair);
}

/* Each once. */
static void pair_tell_ends(struct packets_pair *pair)
{
	bool any = false;

	for (enum direction d = UP; d < DIRECTIONS; d++) {
		any = any || (packets_pair_ending(pair, d) && !pair->ends[d].told);
		pair->ends[d].told = packets_pair_ending(pair, d);
	}
	if (any)
		pair->notify(pair->owner, PACKETS_PAIR_ENDING);
}

static void pair_on_event(void *owner, const struct hawser_packets_event *event)
{
	struct packets_pair *pair = owner;

	/* An event may be older than the pair, or than its last change. */
	if (!pair_is_taken(pair))
		return;
	if (!pair->rests) {
		pair_rest(pair);
		pair->notify(pair->owner, PACKETS_PAIR_TAKEN);
	}
	switch ((enum hawser_packets_event_kind)event->kind) {
	case HAWSER_PACKETS_EVENT_FIN:
	case HAWSER_PACKETS_EVENT_TAKEN:
		pair_tell_ends(pair);
		break;
	case HAWSER_PACKETS_EVENT_CLOSED:
		if (pair_is_over(pair))
			pair->notify(pair->owner, PACKETS_PAIR_CLOSED);
		break;
	case HAWSER_PACKETS_EVENT_RESET:
		pair_on_reset(pair);
		break;
	case HAWSER_PACKETS_EVENT_UNUSUAL:
		pair->notify(pair->owner, PACKETS_PAIR_UNFIT);
		break;
	case HAWSER_PACKETS_EVENT_TOO_BIG:
		packets_tell_too_big(pair->worker, pair->shared, event->leg, event->seq);
		break;
	case HAWSER_PACKETS_EVENT_IDLE:
		pair->notify(pair->owner, PACKETS_PAIR_IDLE);
		break;
	case HAWSER_PACKETS_EVENT_LOSSY:
		if (pair->careful)
			pair->notify(pair->owner, PACKETS_PAIR_LOSSY);
		else
			pair_tell_ends(pair);
		break;
	}
}

void packets_pair_read_events(struct packets_worker *worker)
{
	packets_read_events(worker, pair_on_event);
}

void packets_pair_tidy(struct packets_worker *worker, double idle_s)
{
	packets_tidy(worker, idle_s, pair_on_event);
}

/* Where an end is while nothing is forwarded. */
static struct tcp_place end_place(const struct packets_pair *pair, enum direction d)
{
	const struct hawser_packets_leg *leg = &pair->shared->legs[d];
	const struct hawser_packets_leg *other = &pair->shared->legs[direction_opposite(d)];

	return (struct tcp_place){
		.expected = leg->acked,
		.next = other->acked + other->seq_delta,
		.stamp = other->stamp + other->stamp_delta + AHEAD_BACK_MS,
		.peer_window = leg->window,
		.own_window = other->window,
	};
}

/* Puts the sockets where the peers are. 0 or -errno. */
static int pair_resume(struct packets_pair *pair)
{
	struct tcp_place places[DIRECTIONS];
	int err = 0;

	for (enum direction d = UP; d < DIRECTIONS; d++)
		places[d] = end_place(pair, d);
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct packets_end *end = &pair->ends[d];
		uint32_t clock = 0;
		int failed = tcp_seat_resume(end->fd, &end->seat, &places[d]);

		if (!failed)
			failed = tcp_seat_clock(end->fd, &clock);
		if (failed)
			err = failed;
		end->clock = clock - packets_now_ms();
		pair->shared->legs[d].own_acked = places[d].next;
	}
	return err;
}

static void pair_hold(struct packets_pair *pair, bool held)
{
	for (enum direction d = UP; d < DIRECTIONS; d++)
		__atomic_store_n(&pair->shared->legs[d].held, held, __ATOMIC_RELAXED);
}

/* From HAWSER_PACKETS_FROZEN. Whether both sockets are where they should be. The program lets
 * packets through before the sockets ask for any. */
static bool pair_thaw(struct packets_pair *pair)
{
	int err = pair_resume(pair);

	pair->rests = false;
	/* Those before were wrong, as the peers are still there. */
	pair->shared->resets = 0;
	pair_hold(pair, false);
	(void)word_change(pair, HAWSER_PACKETS_FROZEN,
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
 * which those are (RFC 2018 section 8). */
static bool pair_freeze(struct packets_pair *pair)
{
	const bool forced = pair_silence_s(pair) > SILENT_S;

	if ((!forced && !pair_is_quiet(pair)) ||
	    !word_change(pair, HAWSER_PACKETS_TAKEN, HAWSER_PACKETS_FROZEN))
		return false;
	if (forced || pair_is_quiet(pair))
		return true;
	(void)word_change(pair, HAWSER_PACKETS_FROZEN, HAWSER_PACKETS_TAKEN);
	return false;
}

static void pair_look_at_leaving(void *owner)
{
	struct packets_pair *pair = owner;

	if (!pair_freeze(pair)) {
		/* That will be told. */
		if (pair_is_over(pair))
			poller_stop(&pair->leaving);
		return;
	}
	poller_stop(&pair->silence);
	poller_stop(&pair->leaving);
	pair->notify(pair->owner, pair_thaw(pair) ? PACKETS_PAIR_LEFT : PACKETS_PAIR_LOST);
}

void packets_pair_leave(struct packets_pair *pair)
{
	if (pair->leaving.poller)
		return;
	pair_hold(pair, true);
	if (!pair->silence.poller) {
		pair->packets = pair_packets(pair);
		pair->silent_s = clock_monotonic_s();
	}
	poller_start(pair->poller, &pair->leaving, LOOK_S, pair_look_at_leaving, pair);
}

uint64_t packets_pair_take_count(struct packets_pair *pair, enum direction direction)
{
	struct packets_end *end = &pair->ends[direction];
	const uint64_t bytes =
		__atomic_load_n(&pair->shared->legs[direction].bytes, __ATOMIC_RELAXED) -
		(packets_pair_ended(pair, direction) ? 1 : 0);
	const uint64_t more = bytes - end->counted;

	/* Between the two looks the end was acknowledged. */
	if ((int64_t)more < 0)
		return 0;
	end->counted = bytes;
	return more;
}

uint64_t packets_pair_packets(const struct packets_pair *pair, enum direction direction)
{
	return __atomic_load_n(&pair->shared->legs[direction].packets, __ATOMIC_RELAXED);
}

bool packets_pair_ending(const struct packets_pair *pair, enum direction direction)
{
	return pair->shared->legs[direction].has_fin;
}

bool packets_pair_ended(const struct packets_pair *pair, enum direction direction)
{
	const struct hawser_packets_leg *leg = &pair->shared->legs[direction];

	return leg->has_fin && (int32_t)(leg->acked - leg->fin) >= 0;
}

void packets_pair_free(struct packets_pair *pair)
{
	if (!pair)
		return;
	poller_stop(&pair->silence);
	poller_stop(&pair->leaving);
	(void)(word_change(pair, HAWSER_PACKETS_ARMED, HAWSER_PACKETS_FREE) ||
	       word_change(pair, HAWSER_PACKETS_LEARN, HAWSER_PACKETS_FREE));
	if (pair->reset)
		(void)word_change(pair, HAWSER_PACKETS_TAKEN, HAWSER_PACKETS_CLOSED);
	else if (word_change(pair, HAWSER_PACKETS_TAKEN, HAWSER_PACKETS_FROZEN))
		(void)pair_thaw(pair);
	packets_leave(pair->worker, pair->slot);
	free(pair);
}
