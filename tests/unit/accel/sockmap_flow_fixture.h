/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pair of connections over loopback, flow one way or both. */
#ifndef HAWSER_SOCKMAP_FLOW_FIXTURE_H
#define HAWSER_SOCKMAP_FLOW_FIXTURE_H

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
	struct sockmap_flow up;
	struct sockmap_flow down;
};

static struct sockmap *sockmap;
static struct sockmap_worker *worker;

static inline int group_setup(void **state)
{
	const struct sockmap_options options = {
		.workers = 1, .slots = SLOTS, .budget_bytes = BUDGET};

	(void)state;
	sockmap = sockmap_open(&options);
	if (!sockmap)
		return -1;
	sockmap_probe(sockmap);
	worker = sockmap_worker(sockmap, 0);
	return 0;
}

static inline int group_teardown(void **state)
{
	(void)state;
	sockmap_close(sockmap);
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
	if (fixture_refused(sockmap) || !worker)
		return 0;
	sockmap_read_events(worker, ignore_event); /* of the tests before */
	fixture_connect(IPPROTO_TCP, &pair.source, &pair.client);
	fixture_connect(IPPROTO_TCP, &pair.target, &pair.server);
	return sockmap_flow_prepare(&pair.up, &pair.down, worker, pair.source, pair.target, 42);
}

static inline int pair_teardown(void **state)
{
	struct pair *pair = *state;

	if (fixture_refused(sockmap))
		return 0;
	sockmap_flow_release(&pair->up);
	sockmap_flow_release(&pair->down);
	close(pair->client);
	close(pair->server);
	close(pair->source);
	close(pair->target);
	return 0;
}

/* The pair of this test, or SKIP. */
static inline struct pair *pair_of(void **state)
{
	if (fixture_refused(sockmap)) {
		print_message("SKIP: %s\n", fixture_refused(sockmap));
		skip();
	}
	assert_string_equal(sockmap_feature(sockmap, SOCKMAP_TCP)->reason, "");
	assert_non_null(worker);
	return *state;
}

static inline int enter_up(struct pair *pair)
{
	return sockmap_flow_enter(&pair->up);
}

static inline int enter_down(struct pair *pair)
{
	return sockmap_flow_enter(&pair->down);
}

static inline void leave(struct sockmap_flow *flow)
{
	double deadline = fixture_now() + 5;

	while (!sockmap_flow_leave(flow)) {
		assert_true(fixture_now() < deadline);
		fixture_sleep_us(1000);
	}
}

/* Bytes received; 0: none now. */
static inline size_t take(struct sockmap_flow *flow, uint8_t *bytes, size_t size)
{
	ssize_t n = sockmap_flow_recv(flow, bytes, size);

	assert_true(n > 0 || n == -EAGAIN);
	return n > 0 ? (size_t)n : 0;
}

/* As take(), but of no byte it says what that was: 0 or -errno. */
static inline ssize_t receive(struct sockmap_flow *flow)
{
	char byte;

	return sockmap_flow_recv(flow, &byte, 1);
}

#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, pair_setup, pair_teardown)

#endif
