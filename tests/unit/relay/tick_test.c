/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One timer calls all who want to be called, as often as they want; they may stop each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/tick.h"

struct caller {
	struct tick_watch watch;
	struct ticker *ticker;
	struct caller *victim; /* stopped and freed at the first call */
	int calls;
	int calls_max; /* then it stops itself */
};

static void on_tick(void *owner)
{
	struct caller *caller = owner;

	caller->calls++;
	if (caller->victim) {
		tick_stop(caller->ticker, &caller->victim->watch);
		free(caller->victim);
		caller->victim = NULL;
	}
	if (caller->calls == caller->calls_max)
		tick_stop(caller->ticker, &caller->watch);
}

static void start(struct ticker *ticker, struct caller *caller, uint32_t interval_us)
{
	caller->ticker = ticker;
	tick_start(ticker, &caller->watch, interval_us, on_tick, caller);
}

static void with_ticker(void (*test)(struct ticker *ticker, struct ev_loop *loop))
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct ticker ticker;

	assert_int_equal(tick_init(&ticker, loop), 0);
	test(&ticker, loop);
	assert_null(ticker.list);
	assert_int_equal(ticker.period_us, 0);
	tick_fini(&ticker);
	ev_loop_destroy(loop);
}

static void check_multiples(struct ticker *ticker, struct ev_loop *loop)
{
	struct caller slow = {.calls_max = 5};
	struct caller fast = {.calls_max = 40};

	start(ticker, &slow, 8000);
	start(ticker, &fast, 1000);
	assert_int_equal(ticker->period_us, 1000);
	/* Ends by itself: a ticker without watches watches nothing. */
	ev_run(loop, 0);
	assert_int_equal(slow.calls, 5);
	assert_int_equal(fast.calls, 40);
}

static void intervals_are_multiples_of_the_shortest(void **state)
{
	(void)state;
	with_ticker(check_multiples);
}

static void check_stop(struct ticker *ticker, struct ev_loop *loop)
{
	struct caller *victims[2] = {calloc(1, sizeof(struct caller)),
				     calloc(1, sizeof(struct caller))};
	struct caller first = {.victim = victims[0], .calls_max = 3};
	struct caller last = {.victim = victims[1], .calls_max = 3};

	/* One victim comes before its killer in the list, one after. */
	start(ticker, victims[0], 1000);
	start(ticker, &first, 1000);
	start(ticker, &last, 1000);
	start(ticker, victims[1], 1000);
	ev_run(loop, 0);
	assert_int_equal(first.calls, 3);
	assert_int_equal(last.calls, 3);
}

static void others_may_be_stopped_and_freed(void **state)
{
	(void)state;
	with_ticker(check_stop);
}

static void check_idempotent(struct ticker *ticker, struct ev_loop *loop)
{
	struct caller caller = {.calls_max = 2};

	start(ticker, &caller, 1000);
	start(ticker, &caller, 5000);
	assert_int_equal(caller.watch.interval_us, 1000);
	ev_run(loop, 0);
	tick_stop(ticker, &caller.watch);
	assert_int_equal(caller.calls, 2);
}

static void start_and_stop_are_idempotent(void **state)
{
	(void)state;
	with_ticker(check_idempotent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intervals_are_multiples_of_the_shortest),
		cmocka_unit_test(others_may_be_stopped_and_freed),
		cmocka_unit_test(start_and_stop_are_idempotent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
