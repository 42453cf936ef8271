/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pair whose program, sockets, looks and clock are played. */
#ifndef HAWSER_PACKETS_PAIR_FIXTURE_H
#define HAWSER_PACKETS_PAIR_FIXTURE_H

#include "accel/packets_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accel/packets_learn.h"
#include "accel/packets_way.h"
#include "accel/tcp_seat.h"

#define UP_START   0xffffff00U /* of the client's numbers; wraps on the way */
#define DOWN_START 5000U
#define UP_DELTA   1000U
#define DOWN_DELTA 2000U

#define SOCKET_PATIENCE_S 150

/* What the program and the kernel do. */
static struct hawser_packets_pair shared;
static void *pair_owner; /* of the slot */
static double now_s;
static int rested;
static struct tcp_place places[DIRECTIONS]; /* where sockets 0 and 1 came back to */
static uint32_t acked_meanwhile;
static bool peers_can_be_told;
static const char *way;
static int followed;
static bool way_is_known;

static struct packets_pair *pair;
static struct poller poller;
static enum packets_pair_event told;
static int told_count;

const char *__wrap_packets_learn(struct packets_worker *worker, struct packets_end ends[DIRECTIONS],
				 const uint64_t bytes[DIRECTIONS],
				 struct hawser_packets_pair *initial);
const char *__wrap_packets_learn(struct packets_worker *worker, struct packets_end ends[DIRECTIONS],
				 const uint64_t bytes[DIRECTIONS],
				 struct hawser_packets_pair *initial)
{
	(void)worker;
	(void)bytes;
	ends[UP].copied = UP_START;
	ends[UP].written = DOWN_START + DOWN_DELTA;
	ends[DOWN].copied = DOWN_START;
	ends[DOWN].written = UP_START + UP_DELTA;
	initial->legs[UP].seq_delta = UP_DELTA;
	initial->legs[DOWN].seq_delta = DOWN_DELTA;
	initial->legs[UP].end = UP_START;
	initial->legs[DOWN].end = DOWN_START;
	return NULL;
}

int __wrap_packets_enter(struct packets_worker *worker, const struct hawser_packets_pair *initial,
			 void *owner, struct hawser_packets_pair **out);
int __wrap_packets_enter(struct packets_worker *worker, const struct hawser_packets_pair *initial,
			 void *owner, struct hawser_packets_pair **out)
{
	(void)worker;
	shared = *initial;
	pair_owner = owner;
	*out = &shared;
	return 0;
}

void __wrap_packets_leave(struct packets_worker *worker, int slot);
void __wrap_packets_leave(struct packets_worker *worker, int slot)
{
	(void)worker;
	(void)slot;
	pair_owner = NULL;
}

void __wrap_packets_untrack(const struct packets_worker *worker, const union address *client,
			    const union address *client_own, const union address *server_own,
			    const union address *server);
void __wrap_packets_untrack(const struct packets_worker *worker, const union address *client,
			    const union address *client_own, const union address *server_own,
			    const union address *server)
{
	(void)worker;
	(void)client;
	(void)client_own;
	(void)server_own;
	(void)server;
}

bool __wrap_packets_ends_are_clear(const struct packets_end ends[DIRECTIONS]);
bool __wrap_packets_ends_are_clear(const struct packets_end ends[DIRECTIONS])
{
	(void)ends;
	return true;
}

bool __wrap_packets_tell_too_big(const struct packets_worker *worker,
				 const struct hawser_packets_pair *of, unsigned int leg,
				 uint32_t seq);
bool __wrap_packets_tell_too_big(const struct packets_worker *worker,
				 const struct hawser_packets_pair *of, unsigned int leg,
				 uint32_t seq)
{
	(void)worker;
	(void)of;
	(void)leg;
	(void)seq;
	return peers_can_be_told;
}

static struct hawser_packets_event event;

void __wrap_packets_read_events(struct packets_worker *worker, packets_event_fn *handle);
void __wrap_packets_read_events(struct packets_worker *worker, packets_event_fn *handle)
{
	(void)worker;
	handle(pair_owner, &event);
}

const char *__wrap_packets_way_look(struct packets_worker *worker,
				    struct packets_end ends[DIRECTIONS],
				    struct hawser_packets_pair *of, double at_s);
const char *__wrap_packets_way_look(struct packets_worker *worker,
				    struct packets_end ends[DIRECTIONS],
				    struct hawser_packets_pair *of, double at_s)
{
	(void)worker;
	(void)ends;
	(void)of;
	(void)at_s;
	return way;
}

bool __wrap_packets_way_is_known(struct packets_worker *worker,
				 const struct packets_end ends[DIRECTIONS],
				 const struct hawser_packets_pair *of);
bool __wrap_packets_way_is_known(struct packets_worker *worker,
				 const struct packets_end ends[DIRECTIONS],
				 const struct hawser_packets_pair *of)
{
	(void)worker;
	(void)ends;
	(void)of;
	return way_is_known;
}

void __wrap_packets_way_rest(struct packets_end *end);
void __wrap_packets_way_rest(struct packets_end *end)
{
	(void)end;
}

int __wrap_packets_way_follow(struct packets_worker *worker, struct packets_end *end,
			      struct hawser_packets_leg *leg);
int __wrap_packets_way_follow(struct packets_worker *worker, struct packets_end *end,
			      struct hawser_packets_leg *leg)
{
	(void)worker;
	end->astray = leg->astray;
	followed++;
	return 0;
}

int __wrap_tcp_seat_rest(int fd, const struct tcp_seat *seat, const struct tcp_place *last);
int __wrap_tcp_seat_rest(int fd, const struct tcp_seat *seat, const struct tcp_place *last)
{
	(void)fd;
	(void)seat;
	(void)last;
	rested++;
	return 0;
}

/* Meanwhile another processor is still at work on a packet that says more. */
int __wrap_tcp_seat_resume(int fd, const struct tcp_seat *seat, const struct tcp_place *place);
int __wrap_tcp_seat_resume(int fd, const struct tcp_seat *seat, const struct tcp_place *place)
{
	(void)seat;
	places[fd] = *place;
	for (int i = 0; i < 2; i++)
		shared.legs[i].acked += acked_meanwhile;
	return 0;
}

int __wrap_tcp_seat_wake(int fd, const struct tcp_seat *seat);
int __wrap_tcp_seat_wake(int fd, const struct tcp_seat *seat)
{
	(void)fd;
	(void)seat;
	return 0;
}

double __wrap_tcp_seat_patience_s(int fd);
double __wrap_tcp_seat_patience_s(int fd)
{
	(void)fd;
	return SOCKET_PATIENCE_S;
}

int __wrap_tcp_seat_clock(int fd, uint32_t *stamp);
int __wrap_tcp_seat_clock(int fd, uint32_t *stamp)
{
	(void)fd;
	*stamp = 0;
	return 0;
}

double __wrap_clock_monotonic_s(void);
double __wrap_clock_monotonic_s(void)
{
	return now_s;
}

static struct poll_watch *watches[2]; /* those that are active */

void __wrap_poller_start(struct poller *at, struct poll_watch *watch, double first_s, poll_fn *look,
			 void *owner);
void __wrap_poller_start(struct poller *at, struct poll_watch *watch, double first_s, poll_fn *look,
			 void *owner)
{
	(void)first_s;
	if (watch->poller)
		return;
	*watch = (struct poll_watch){.poller = at, .look = look, .owner = owner};
	watches[watches[0] ? 1 : 0] = watch;
}

void __wrap_poller_stop(struct poll_watch *watch);
void __wrap_poller_stop(struct poll_watch *watch)
{
	watch->poller = NULL;
	for (int i = 0; i < 2; i++)
		if (watches[i] == watch)
			watches[i] = NULL;
}

static void on_pair(void *owner, enum packets_pair_event what)
{
	(void)owner;
	told = what;
	told_count++;
}

static void state_set(enum hawser_packets_state state)
{
	shared.word = (shared.word & ~HAWSER_PACKETS_STATE) | state;
}

static enum hawser_packets_state state_get(void)
{
	return (enum hawser_packets_state)(shared.word & HAWSER_PACKETS_STATE);
}

static void tell(enum hawser_packets_event_kind kind)
{
	event = (struct hawser_packets_event){.kind = kind};
	packets_pair_read_events(NULL);
}

static void pass(double seconds)
{
	now_s += seconds;
	for (int i = 0; i < 2; i++)
		if (watches[i])
			watches[i]->look(watches[i]->owner);
}

static const uint64_t no_bytes[DIRECTIONS];

static void seen_set(void)
{
	for (int i = 0; i < 2; i++) {
		shared.legs[i].seen = 1;
		shared.legs[i].stamp = 1;
	}
}

static int setup(void **state)
{
	const char *reason;

	(void)state;
	now_s = 1000;
	rested = 0;
	acked_meanwhile = 0;
	peers_can_be_told = true;
	way = NULL;
	followed = 0;
	way_is_known = true;
	told_count = 0;
	pair = packets_pair_new(&(struct packets_pair_request){.poller = &poller,
							       .client = UP,
							       .server = DOWN,
							       .bytes = no_bytes,
							       .notify = on_pair},
				&reason);
	assert_non_null(pair);
	seen_set();
	packets_pair_arm(pair, no_bytes);
	assert_int_equal(state_get(), HAWSER_PACKETS_ARMED);
	return 0;
}

static int taken_setup(void **state)
{
	setup(state);
	state_set(HAWSER_PACKETS_TAKEN);
	tell(HAWSER_PACKETS_EVENT_TAKEN);
	assert_int_equal(told, PACKETS_PAIR_TAKEN);
	assert_int_equal(rested, 2);
	told_count = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	packets_pair_free(pair);
	assert_null(pair_owner);
	assert_null(watches[0]);
	assert_null(watches[1]);
	return 0;
}

#endif
