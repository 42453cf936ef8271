/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pair of connections over loopback, parked one way or both. */
#ifndef HAWSER_PARKED_FIXTURE_H
#define HAWSER_PARKED_FIXTURE_H

#include "sockmap_fixture.h"

#include "accel/sockmap_flow.h"
#include "accel/sockmap_probe.h"

#define SLOTS	 8
#define BUDGET	 FIXTURE_BUDGET_BYTES
#define QUIET_MS 50

/* More than all buffers on the way can take: a kernel or a program that holds back nothing is to
 * fail the test, not to fill the machine. */
#define FILL_MAX_BYTES (96U << 20)

struct pair {
	int client; /* the far ends */
	int server;
	int source; /* what a daemon holds: up goes from source to target */
	int target;
	struct parked up;
	struct parked down;
};

static struct accel *accel;
static struct accel_worker *worker;

static inline int group_setup(void **state)
{
	const struct accel_options options = {.workers = 1, .slots = SLOTS, .budget_bytes = BUDGET};

	(void)state;
	accel = accel_open(&options);
	if (!accel)
		return -1;
	accel_probe(accel);
	worker = accel_worker(accel, 0);
	return 0;
}

static inline int group_teardown(void **state)
{
	(void)state;
	accel_close(accel);
	return 0;
}

static inline void ignore_event(void *owner, enum hawser_event_kind kind)
{
	(void)owner;
	(void)kind;
}

static inline int pair_setup(void **state)
{
	static struct pair pair;

	*state = &pair;
	pair = (struct pair){0};
	if (fixture_refused(accel) || !worker)
		return 0;
	accel_read_events(worker, ignore_event); /* of the tests before */
	fixture_connect(IPPROTO_TCP, &pair.source, &pair.client);
	fixture_connect(IPPROTO_TCP, &pair.target, &pair.server);
	return parked_prepare(&pair.up, &pair.down, worker, pair.source, pair.target, 42);
}

static inline int pair_teardown(void **state)
{
	struct pair *pair = *state;

	if (fixture_refused(accel))
		return 0;
	parked_release(&pair->up);
	parked_release(&pair->down);
	close(pair->client);
	close(pair->server);
	close(pair->source);
	close(pair->target);
	return 0;
}

/* The pair of this test, or SKIP. */
static inline struct pair *pair_of(void **state)
{
	if (fixture_refused(accel)) {
		print_message("SKIP: %s\n", fixture_refused(accel));
		skip();
	}
	assert_string_equal(accel_feature(accel, ACCEL_TCP)->reason, "");
	assert_non_null(worker);
	return *state;
}

static inline int enter_up(struct pair *pair)
{
	return parked_enter(&pair->up);
}

static inline int enter_down(struct pair *pair)
{
	return parked_enter(&pair->down);
}

static inline void leave(struct parked *parked)
{
	double deadline = fixture_now() + 5;

	while (!parked_leave(parked)) {
		assert_true(fixture_now() < deadline);
		fixture_sleep_us(1000);
	}
}

/* Bytes received; 0: none now. */
static inline size_t take(struct parked *parked, uint8_t *bytes, size_t size)
{
	ssize_t n = parked_recv(parked, bytes, size);

	assert_true(n > 0 || n == -EAGAIN);
	return n > 0 ? (size_t)n : 0;
}

/* As take(), but of no byte it says what that was: 0 or -errno. */
static inline ssize_t receive(struct parked *parked)
{
	char byte;

	return parked_recv(parked, &byte, 1);
}

#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, pair_setup, pair_teardown)

#endif
