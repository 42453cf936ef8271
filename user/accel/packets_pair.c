/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two connections of a session whose packets the kernel may forward. */
#include <errno.h>
#include <stdlib.h>

#include "accel/packets_pair_private.h"
#include "accel/packets_way.h"
#include "base/clock.h"

/* By so much the time stamps that a peer sees jump ahead when the pair is taken: no packet of the
 * clock before, which may still be on its way, is newer. Milliseconds. */
#define AHEAD_MS 4000U

/* When nobody has said anything for so long after a reset, it was right; when somebody has spoken
 * after it, the silence is to be longer, and the peers are to say whether they are there. */
#define RESET_S	   1.
#define ANSWERED_S 5.

/* A peer that sends packets that are too big for so long does not heed what it is told. When it has
 * sent none for a while, it may try anew. */
#define BIG_S	   2.
#define BIG_REST_S 10.

/* How often the way of a pair that is not taken may be looked up. */
#define FOLLOW_S   1.
#define FOLLOW_MAX 5U

static uint32_t state_of(uint64_t word)
{
	return (uint32_t)(word & HAWSER_PACKETS_STATE);
}

bool packets_pair_change(struct packets_pair *pair, enum hawser_packets_state from,
			 enum hawser_packets_state to)
{
	__u64 word = __atomic_load_n(&pair->shared->word, __ATOMIC_SEQ_CST);

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
	struct packets_end *ends;
	int err;

	*reason = "out of memory";
	if (!pair)
		return NULL;
	ends = pair->ends;
	pair->worker = request->worker;
	pair->poller = request->poller;
	ends[UP].fd = request->client;
	ends[DOWN].fd = request->server;
	pair->careful = request->careful;
	pair->notify = request->notify;
	pair->owner = request->owner;
	*reason = request->careful ? packets_ends_differ(ends) : NULL;
	err = EOPNOTSUPP;
	if (!*reason) {
		*reason = packets_learn(pair->worker, ends, request->bytes, &shared);
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
 * none. */
static bool leg_is_known(const struct hawser_packets_leg *leg)
{
	return __atomic_load_n(&leg->seen, __ATOMIC_ACQUIRE) &&
	       (!leg->stamps || __atomic_load_n(&leg->stamp, __ATOMIC_RELAXED));
}

/* Routes may change before it is taken, too. Of bytes that user space has read and the program has
 * not seen, the packets come by another device. If that is not where the route leads either, they
 * never come by one that it can be taken by: why. */
static const char *pair_follow(struct packets_pair *pair, const uint64_t bytes[DIRECTIONS],
			       double now_s)
{
	if (now_s - pair->followed_s < FOLLOW_S)
		return NULL;
	if (leg_is_known(&pair->shared->legs[UP]) && leg_is_known(&pair->shared->legs[DOWN]))
		pair->vain = 0;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct hawser_packets_leg *leg = &pair->shared->legs[d];
		struct packets_end *end = &pair->ends[d];
		const uint32_t copied = end->copied + (uint32_t)bytes[d];
		const uint32_t before = leg->ifindex;

		if (end->astray == __atomic_load_n(&leg->astray, __ATOMIC_RELAXED) &&
		    (int32_t)(copied - __atomic_load_n(&leg->end, __ATOMIC_RELAXED)) <= 0)
			continue;
		pair->followed_s = now_s;
		(void)packets_way_follow(pair->worker, end, leg);
		if (leg->ifindex == before && ++pair->vain > FOLLOW_MAX)
			return "packets: a peer's come by another device than those to it";
	}
	return NULL;
}

const char *packets_pair_arm(struct packets_pair *pair, const uint64_t bytes[DIRECTIONS])
{
	struct hawser_packets_pair *shared = pair->shared;
	const double now_s = clock_monotonic_s();
	const uint32_t now = (uint32_t)(uint64_t)(now_s * 1e3);
	const char *fault;

	if (packets_pair_state(pair) == HAWSER_PACKETS_FREE && !packets_pair_is_let_go(pair) &&
	    !packets_pair_is_over(pair))
		return "packets: another hawserd has let go of it";
	if (packets_pair_state(pair) != HAWSER_PACKETS_LEARN)
		return NULL;
	fault = pair_follow(pair, bytes, now_s);
	if (fault || !leg_is_known(&shared->legs[UP]) || !leg_is_known(&shared->legs[DOWN]))
		return fault;
	if (!pair->agreed)
		pair->agreed = packets_ends_are_clear(pair->ends);
	if (!pair->agreed)
		return NULL;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		struct hawser_packets_leg *leg = &shared->legs[d];
		struct packets_end *end = &pair->ends[d];
		const struct packets_end *other = &pair->ends[direction_opposite(d)];
		const uint32_t stamp = __atomic_load_n(&leg->stamp, __ATOMIC_RELAXED);

		leg->copied = end->copied + (uint32_t)bytes[d];
		leg->written = end->written + (uint32_t)bytes[direction_opposite(d)];
		end->since = leg->copied;
		__atomic_store_n(&leg->acked, end->since, __ATOMIC_RELAXED);
		leg->stamp_delta = other->clock + now + AHEAD_MS - stamp;
		leg->stamp_floor = stamp;
		leg->has_fin = 0;
		leg->last_ns = (uint64_t)(now_s * 1e9);
	}
	pair->takes = shared->takes;
	shared->armed_ns = (uint64_t)(now_s * 1e9);
	pair->live = true;
	(void)packets_pair_change(pair, HAWSER_PACKETS_LEARN, HAWSER_PACKETS_ARMED);
	return NULL;
}

/* A pair that is over is free when, besides, a peer has begun another connection with the same
 * ports. */
bool packets_pair_is_over(const struct packets_pair *pair)
{
	const uint32_t state = packets_pair_state(pair);

	return state == HAWSER_PACKETS_CLOSED ||
	       (state == HAWSER_PACKETS_FREE && packets_pair_ended(pair, UP) &&
		packets_pair_ended(pair, DOWN));
}

bool packets_pair_is_let_go(const struct packets_pair *pair)
{
	return (pair->rests || pair->shared->takes != pair->takes) &&
	       packets_pair_state(pair) == HAWSER_PACKETS_FREE && !packets_pair_is_over(pair);
}

static bool pair_is_taken(const struct packets_pair *pair)
{
	return packets_pair_state(pair) == HAWSER_PACKETS_TAKEN || packets_pair_is_over(pair);
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
		packets_way_rest(end);
	}
	packets_untrack(pair->worker, &client->peer, &client->own, &server->own, &server->peer);
}

bool packets_pair_disarm(struct packets_pair *pair)
{
	if (packets_pair_change(pair, HAWSER_PACKETS_ARMED, HAWSER_PACKETS_LEARN) ||
	    packets_pair_state(pair) == HAWSER_PACKETS_LEARN)
		return true;
	if (!pair->rests && !pair_is_taken(pair) && !packets_pair_is_let_go(pair))
		/* Another hawserd has let go of it, before it was taken. */
		return true;
	if (!pair->rests)
		pair_rest(pair);
	return false;
}

static void pair_look_for_silence(void *owner)
{
	struct packets_pair *pair = owner;
	const double silence_s = packets_pair_silence_s(pair);

	if (silence_s < (pair->answered ? ANSWERED_S : RESET_S))
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

/* Of resets without an answer the first counts, however many follow. */
static void pair_on_reset(struct packets_pair *pair)
{
	if (pair->silence.poller) {
		(void)packets_pair_silence_s(pair);
		if (!pair->answered)
			return;
	}
	poller_stop(&pair->silence);
	packets_pair_listen(pair);
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

static void pair_on_unfit(struct packets_pair *pair, const char *reason)
{
	pair->unfit = reason;
	pair->notify(pair->owner, PACKETS_PAIR_UNFIT);
}

static void pair_on_too_big(struct packets_pair *pair, const struct hawser_packets_event *event)
{
	const uint32_t mtu = pair->shared->legs[!(event->leg & 1)].mtu;
	const double now_s = clock_monotonic_s();

	if (mtu != pair->big.mtu || now_s - pair->big.last_s > BIG_REST_S)
		pair->big.first_s = now_s;
	pair->big.mtu = mtu;
	pair->big.last_s = now_s;
	if (!packets_tell_too_big(pair->worker, pair->shared, event->leg, event->seq) ||
	    now_s - pair->big.first_s > BIG_S) {
		pair->pressing = true;
		pair_on_unfit(pair, "packets: too big for the other leg");
	}
}

/* About once a second, and when the program has seen something strange. */
static void pair_look(struct packets_pair *pair)
{
	const char *fault =
		packets_way_look(pair->worker, pair->ends, pair->shared, clock_monotonic_s());

	if (!fault) {
		pair_tell_ends(pair);
		return;
	}
	pair->pressing = true;
	pair_on_unfit(pair, fault);
}

static void pair_on_event(void *owner, const struct hawser_packets_event *event)
{
	struct packets_pair *pair = owner;

	if (packets_pair_is_let_go(pair)) {
		poller_stop(&pair->silence);
		poller_stop(&pair->leaving);
		pair->notify(pair->owner,
			     packets_pair_thaw(pair) ? PACKETS_PAIR_LEFT : PACKETS_PAIR_LOST);
		return;
	}
	/* An event may be older than the pair, or than its last change. */
	if (!pair_is_taken(pair))
		return;
	if (!pair->rests) {
		pair_rest(pair);
		pair->notify(pair->owner, PACKETS_PAIR_TAKEN);
	}
	switch ((enum hawser_packets_event_kind)event->kind) {
	case HAWSER_PACKETS_EVENT_FIN:
		pair_tell_ends(pair);
		break;
	case HAWSER_PACKETS_EVENT_TAKEN:
	case HAWSER_PACKETS_EVENT_ASTRAY:
		pair_look(pair);
		break;
	case HAWSER_PACKETS_EVENT_CLOSED:
		if (packets_pair_is_over(pair))
			pair->notify(pair->owner, PACKETS_PAIR_CLOSED);
		break;
	case HAWSER_PACKETS_EVENT_RESET:
		pair_on_reset(pair);
		break;
	case HAWSER_PACKETS_EVENT_UNUSUAL:
		/* Of one the peer sends again what was in it; more of them do not arrive. */
		pair->pressing |= pair->shared->unusual > 1;
		pair_on_unfit(pair, "packets: fragments or options of IP");
		break;
	case HAWSER_PACKETS_EVENT_TOO_BIG:
		pair_on_too_big(pair, event);
		break;
	case HAWSER_PACKETS_EVENT_IDLE:
		pair->notify(pair->owner, PACKETS_PAIR_IDLE);
		break;
	case HAWSER_PACKETS_EVENT_LOSSY:
		if (pair->careful)
			pair->notify(pair->owner, PACKETS_PAIR_LOSSY);
		else
			pair_look(pair);
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

/* The peer's byte that its other end expects, and the rounds of numbers before it. */
static uint64_t pair_acked(const struct packets_pair *pair, enum direction direction)
{
	return pair->live ? __atomic_load_n(&pair->shared->legs[direction].acked, __ATOMIC_ACQUIRE)
			  : pair->ends[direction].acked;
}

static bool is_ended(const struct hawser_packets_leg *leg, uint64_t acked)
{
	return __atomic_load_n(&leg->has_fin, __ATOMIC_ACQUIRE) &&
	       (int32_t)((uint32_t)acked - leg->fin) >= 0;
}

uint64_t packets_pair_take_count(struct packets_pair *pair, enum direction direction)
{
	struct packets_end *end = &pair->ends[direction];
	const uint64_t acked = pair_acked(pair, direction);
	const uint64_t bytes = end->before + (pair->live ? acked - end->since : 0) -
			       (is_ended(&pair->shared->legs[direction], acked) ? 1 : 0);
	const uint64_t more = bytes - end->counted;

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
	return is_ended(&pair->shared->legs[direction], pair_acked(pair, direction));
}

const char *packets_pair_unfit(const struct packets_pair *pair)
{
	return pair->unfit;
}

void packets_pair_free(struct packets_pair *pair)
{
	if (!pair)
		return;
	poller_stop(&pair->silence);
	poller_stop(&pair->leaving);
	(void)(packets_pair_change(pair, HAWSER_PACKETS_ARMED, HAWSER_PACKETS_FREE) ||
	       packets_pair_change(pair, HAWSER_PACKETS_LEARN, HAWSER_PACKETS_FREE));
	if (pair->reset)
		(void)packets_pair_change(pair, HAWSER_PACKETS_TAKEN, HAWSER_PACKETS_CLOSED);
	else if (packets_pair_change(pair, HAWSER_PACKETS_TAKEN, HAWSER_PACKETS_FROZEN) ||
		 pair->frozen_s > 0 || packets_pair_is_let_go(pair))
		(void)packets_pair_thaw(pair);
	packets_leave(pair->worker, pair->slot);
	free(pair);
}
