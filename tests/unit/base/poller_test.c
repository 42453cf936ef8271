/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks become rarer, and many who wait share what a worker spends on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/poller.h"

#define MANY 1000

struct waiter {
	struct poll_watch watch;
	int looks;
	int looks_max; /* then it stops itself; 0: never */
};

static struct waiter waiters[MANY];

static void on_look(void *owner)
{
	struct waiter *waiter = owner;

	if (++waiter->looks == waiter->looks_max)
		poller_stop(&waiter->watch);
}

static void start(struct poller *poller, struct waiter *waiter, double first_s)
{
	poller_start(poller, &waiter->watch, first_s, on_look, waiter);
}

static void end_of_time(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void run_for(struct ev_loop *loop, double seconds)
{
	ev_timer end;

	ev_timer_init(&end, end_of_time, seconds, 0.);
	ev_timer_start(loop, &end);
	ev_run(loop, 0);
}

static void with_poller(void (*test)(struct poller *poller))
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct poller poller;

	poller_init(&poller, loop);
	test(&poller);
	assert_int_equal(poller.active, 0);
	ev_loop_destroy(loop);
}

/* At 10, 30, 70, 150, 310 ms, or less often on a busy machine; every 10 ms would be 40. */
static void check_rarer(struct poller *poller)
{
	struct waiter waiter = {.looks_max = 0};

	start(poller, &waiter, 0.01);
	start(poller, &waiter, 0.01);
	run_for(poller->loop, 0.4);
	assert_in_range(waiter.looks, 1, 6);
	poller_stop(&waiter.watch);
	poller_stop(&waiter.watch);
}

static void looks_become_rarer(void **state)
{
	(void)state;
	with_poller(check_rarer);
}

static void check_at_once(struct poller *poller)
{
	struct waiter waiter = {.looks_max = 3};

	start(poller, &waiter, 0.);
	ev_run(poller->loop, 0); /* returns when nothing is waited for */
	assert_int_equal(waiter.looks, 3);
}

static void stops_itself(void **state)
{
	(void)state;
	with_poller(check_at_once);
}

/* Each would be looked at every second by itself; together, every four. */
static void check_many(struct poller *poller)
{
	for (size_t i = 0; i < MANY; i++)
		start(poller, &waiters[i], 1.);
	run_for(poller->loop, 1.5);
	for (size_t i = 0; i < MANY; i++) {
		assert_true(waiters[i].looks > 0);
		assert_true(waiters[i].watch.interval_s >= 2);
		poller_stop(&waiters[i].watch);
	}
}

static void many_share(void **state)
{
	(void)state;
	with_poller(check_many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_become_rarer),
		cmocka_unit_test(stops_itself),
		cmocka_unit_test(many_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
