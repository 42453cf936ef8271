/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program tells of flows: that credit is used up, that it passes bytes on; also where
 * there was no room to tell. */
#include "sockmap_flow_fixture.h"

struct seen {
	unsigned int low;
	unsigned int passed;
};
static struct seen seen;
static struct sockmap_flow *seen_owner;

static void count_event(void *owner, enum hawser_event_kind kind)
{
	assert_ptr_equal(owner, seen_owner);
	if (kind == HAWSER_EVENT_LOW) {
		seen.low++;
		sockmap_flow_top_up(owner);
	} else {
		seen.passed++;
	}
}

static void count_event_of_down(void *owner, enum hawser_event_kind kind)
{
	const struct sockmap_flow *flow = owner;

	if (flow->direction == HAWSER_DOWN && kind == HAWSER_EVENT_PASSED)
		seen.passed++;
}

static void test_top_up_by_events(void **state)
{
	struct pair *pair = pair_of(state);
	uint64_t up = 0;

	seen = (struct seen){0};
	seen_owner = &pair->up;
	assert_int_equal(enter_up(pair), 0);
	/* Eight budgets in small requests: credit never runs out. */
	while (up < 8ULL * BUDGET) {
		fixture_send(pair->client, 700, up, 1);
		fixture_expect(pair->server, 700, up, 1);
		up += 700;
		if (fixture_wait(sockmap_event_fd(worker), POLLIN, 0))
			sockmap_read_events(worker, count_event);
	}
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_REDIRECTING);
	assert_int_equal(sockmap_flow_redirected(&pair->up), up);
	assert_true(seen.low >= 14 && seen.low <= 17);
	assert_int_equal(seen.passed, 0);
	assert_int_equal(pair->up.shared->events, seen.low);
	assert_int_equal(pair->up.shared->events_lost, 0);
}

static void test_pass_event(void **state)
{
	struct pair *pair = pair_of(state);
	static uint8_t bytes[64 * 1024];
	uint64_t redirected;

	seen = (struct seen){0};
	seen_owner = &pair->up;
	assert_int_equal(enter_up(pair), 0);
	/* Nobody answers the first event. */
	for (uint64_t sent = 0; sent < 2ULL * BUDGET; sent += 1024)
		fixture_send(pair->client, 1024, sent, 1);
	assert_true(fixture_wait(sockmap_event_fd(worker), POLLIN, FIXTURE_DEADLINE_MS));
	fixture_sleep_us(QUIET_MS * 1000);
	sockmap_read_events(worker, count_event);
	assert_int_equal(seen.low, 1);
	assert_int_equal(seen.passed, 1);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_PASSING);
	assert_int_equal(enter_up(pair), -EBUSY);
	redirected = sockmap_flow_redirected(&pair->up);
	assert_true(redirected <= BUDGET);
	fixture_expect(pair->server, redirected, 0, 1);
	/* Not a byte is in both or in neither. */
	for (uint64_t at = redirected; at < 2ULL * BUDGET;) {
		size_t n = take(&pair->up, bytes, sizeof(bytes));

		assert_true(n > 0 || fixture_wait(pair->source, POLLIN, FIXTURE_DEADLINE_MS));
		assert_true(fixture_check(bytes, n, at, 1));
		at += n;
	}
	assert_int_equal(sockmap_flow_unread(&pair->up), 0);
}

/* Half a budget and a bit, so that an event is sent; the server has it all when this is over. */
static void use_up_half(const struct pair *pair)
{
	static uint8_t bytes[BUDGET / 2 + 4096];
	size_t sent = 0;
	size_t got = 0;

	while (got < sizeof(bytes)) {
		const size_t piece =
			sizeof(bytes) - sent < 32768 ? sizeof(bytes) - sent : (size_t)32768;
		ssize_t n = send(pair->client, bytes, piece, 0);

		assert_true(n >= 0);
		for (sent += (size_t)n; got < sent; got += (size_t)n) {
			assert_true(fixture_wait(pair->server, POLLIN, FIXTURE_DEADLINE_MS));
			n = recv(pair->server, bytes, sent - got, MSG_TRUNC);
			assert_true(n > 0);
		}
	}
}

static void test_event_without_room(void **state)
{
	struct pair *pair = pair_of(state);
	const struct hawser_flow *up;

	seen = (struct seen){0};
	assert_int_equal(enter_up(pair), 0);
	assert_int_equal(sockmap_flow_enter(&pair->down), 0);
	up = pair->up.shared;
	for (int i = 0; i < 20000 && up->events_lost == 0; i++) {
		use_up_half(pair);
		sockmap_flow_top_up(&pair->up);
	}
	assert_int_equal(up->events_lost, 1);
	/* The other direction's are lost, too. */
	for (uint64_t sent = 0; sent < 2ULL * BUDGET; sent += 1024)
		fixture_send(pair->server, 1024, sent, 1);
	fixture_sleep_us(QUIET_MS * 1000);
	assert_int_equal(sockmap_flow_mode(&pair->down), SOCKMAP_FLOW_PASSING);
	assert_int_equal(pair->down.shared->events, pair->down.shared->events_lost);
	sockmap_read_events(worker, count_event_of_down);
	assert_int_equal(seen.passed, 1);
	/* And once it has looked, it looks no more. */
	sockmap_read_events(worker, count_event_of_down);
	assert_int_equal(seen.passed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(test_top_up_by_events),
		PAIR_TEST(test_pass_event),
		PAIR_TEST(test_event_without_room),
	};

	return cmocka_run_group_tests_name("sockmap_flow_event", tests, group_setup,
					   group_teardown);
}
