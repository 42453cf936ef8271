/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockmap_flow.c with the real program over loopback: the traps of sockmap, one by one. Those at
 * the end of a stream are in sockmap_flow_end_test.c, events in sockmap_flow_event_test.c; streams
 * through all of it at once are in sockmap_flow_stream_test.c. */
#include "sockmap_flow_fixture.h"

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, SOL_SOCKET, option, &value, &len);
	return value;
}

static void test_prepare_leaves_no_trace(void **state)
{
	struct pair *pair = pair_of(state);
	int one = 1;

	assert_int_equal(option_of(pair->source, SO_REUSEADDR), 0);
	setsockopt(pair->source, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(sockmap_flow_prepare(&pair->up, &pair->down, worker, pair->source,
					      pair->target, 42),
			 0);
	assert_int_equal(option_of(pair->source, SO_REUSEADDR), 1);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_OUT);
	fixture_send(pair->target, 100, 0, 1);
	fixture_expect(pair->server, 100, 0, 1);
	fixture_send(pair->client, 100, 0, 1);
	fixture_expect(pair->source, 100, 0, 1);
}

static void test_early_data(void **state)
{
	struct pair *pair = pair_of(state);

	/* Unread at the source when it enters; no segment follows that would wake the program. */
	fixture_send(pair->client, 3000, 0, 1);
	assert_true(fixture_wait(pair->source, POLLIN, FIXTURE_DEADLINE_MS));
	assert_int_equal(enter_up(pair), 0);
	fixture_expect(pair->server, 3000, 0, 1);
	assert_int_equal(sockmap_flow_redirected(&pair->up), 3000);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_REDIRECTING);
}

static void test_read_before_entering(void **state)
{
	struct pair *pair = pair_of(state);
	uint8_t bytes[1000];

	fixture_send(pair->client, 1000, 0, 1);
	assert_true(fixture_wait(pair->source, POLLIN, FIXTURE_DEADLINE_MS));
	assert_int_equal(recv(pair->source, bytes, 1000, 0), 1000);
	fixture_send(pair->target, 1000, 0, 1);
	assert_int_equal(enter_up(pair), 0);
	fixture_send(pair->client, 500, 1000, 1);
	fixture_expect(pair->server, 1500, 0, 1);
	fixture_expect_nothing(pair->server, QUIET_MS);
}

/* The kernel redirects what waits whole; what was read of it must be cut off. */
static void read_in_part(struct pair *pair, size_t total, size_t read)
{
	static uint8_t bytes[400000];
	int size = 1 << 21;

	setsockopt(pair->source, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	fixture_send(pair->client, total, 0, 1);
	while (fixture_unread(pair->source) < (int)total)
		fixture_sleep_us(100);
	assert_int_equal(recv(pair->source, bytes, read, 0), read);
	fixture_send(pair->target, read, 0, 1);
	assert_int_equal(enter_up(pair), 0);
	fixture_expect(pair->server, total, 0, 1);
	fixture_expect_nothing(pair->server, QUIET_MS);
	assert_int_equal(sockmap_flow_redirected(&pair->up), total - read);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_REDIRECTING);
}

static void test_read_in_part(void **state)
{
	struct pair *pair = pair_of(state);

	read_in_part(pair, 30000, 6000);
	assert_int_equal(pair->up.shared->trimmed, 6000);
}

/* In one piece where TCP has merged it: longer than any segment of the wire. */
static void test_read_in_part_of_merged(void **state)
{
	struct pair *pair = pair_of(state);

	read_in_part(pair, 400000, 200000);
	assert_true(pair->up.shared->trimmed > UINT16_MAX);
}

/* TCP merges what waits, so the first of it may begin further back than can be cut off. */
static void test_read_in_part_of_much(void **state)
{
	struct pair *pair = pair_of(state);
	const size_t first = HAWSER_TRIM_BYTES + 1;
	const size_t total = 800000;
	static uint8_t bytes[800000];
	int size = 1 << 21;

	setsockopt(pair->source, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	fixture_send(pair->client, total, 0, 1);
	while (fixture_unread(pair->source) < (int)total)
		fixture_sleep_us(100);
	assert_int_equal(recv(pair->source, bytes, first, 0), first);
	assert_int_equal(enter_up(pair), -EAGAIN);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_OUT);
	assert_int_equal(recv(pair->source, bytes + first, total - first, MSG_DONTWAIT),
			 total - first);
	assert_true(fixture_check(bytes, total, 0, 1));
	assert_int_equal(sockmap_flow_enter(&pair->up), 0);
	fixture_send(pair->client, 1000, total, 1);
	fixture_expect(pair->server, 1000, total, 1);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_REDIRECTING);
}

/* The first segment on this connection begins with bytes that the source has had: as when a peer
 * sends again because an acknowledgement was lost. */
static void overlap(struct pair *pair, uint32_t overlap_bytes, bool pass)
{
	uint8_t bytes[16 * 1024];
	uint32_t had = 0;

	close(pair->source);
	close(pair->client);
	fixture_connect_overlapping(&pair->source, &pair->client, overlap_bytes);
	assert_int_equal(sockmap_flow_prepare(&pair->up, &pair->down, worker, pair->source,
					      pair->target, 42),
			 0);
	assert_int_equal(enter_up(pair), 0);
	if (pass)
		leave(&pair->up);
	fixture_send(pair->client, overlap_bytes + 1000, 0, 1);
	while (pass && had < 1000) {
		size_t n;

		assert_true(fixture_wait(pair->source, POLLIN, FIXTURE_DEADLINE_MS));
		n = take(&pair->up, bytes, sizeof(bytes));
		assert_true(fixture_check(bytes, n, overlap_bytes + had, 1));
		had += (uint32_t)n;
	}
	if (!pass)
		fixture_expect(pair->server, 1000, overlap_bytes, 1);
	/* The window moves on, and what follows is not held up. */
	if (pass)
		assert_int_equal(enter_up(pair), 0);
	fixture_send(pair->client, 100, overlap_bytes + 1000, 1);
	fixture_expect(pair->server, 100, overlap_bytes + 1000, 1);
	assert_int_equal(pair->up.shared->trimmed, overlap_bytes);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_REDIRECTING);
}

static void test_sent_again(void **state)
{
	overlap(pair_of(state), 300, false);
}

static void test_sent_again_while_passing(void **state)
{
	overlap(pair_of(state), 300, true);
}

static void test_broken(void **state)
{
	struct pair *pair = pair_of(state);

	assert_int_equal(enter_up(pair), 0);
	fixture_send(pair->client, 100, 0, 1);
	fixture_expect(pair->server, 100, 0, 1);
	/* As if a segment had been lost. */
	pair->up.shared->next_seq -= 1000;
	fixture_send(pair->client, 100, 100, 1);
	fixture_expect(pair->server, 100, 100, 1);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_BROKEN);
}

static void test_pass_and_enter_again(void **state)
{
	struct pair *pair = pair_of(state);
	uint8_t bytes[8192];
	uint64_t up = 0;

	assert_int_equal(enter_up(pair), 0);
	for (int i = 0; i < 100; i++) {
		fixture_send(pair->client, 300, up, 1);
		fixture_expect(pair->server, 300, up, 1);
		up += 300;
		assert_false(sockmap_flow_mode(&pair->up) == SOCKMAP_FLOW_PASSING);
		leave(&pair->up);
		assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_PASSING);
		fixture_send(pair->client, 4000, up, 1);
		assert_true(fixture_wait(pair->source, POLLIN, FIXTURE_DEADLINE_MS));
		/* What is unread would be overtaken. */
		assert_int_equal(enter_up(pair), -EAGAIN);
		for (size_t had = 0; had < 4000;) {
			size_t n = take(&pair->up, bytes, sizeof(bytes));

			assert_true(n > 0 ||
				    fixture_wait(pair->source, POLLIN, FIXTURE_DEADLINE_MS));
			assert_true(fixture_check(bytes, n, up + had, 1));
			had += n;
		}
		fixture_send(pair->target, 4000, up, 1);
		fixture_expect(pair->server, 4000, up, 1);
		up += 4000;
		assert_int_equal(sockmap_flow_unread(&pair->up), 0);
		assert_int_equal(enter_up(pair), 0);
	}
	assert_int_equal(sockmap_flow_redirected(&pair->up), 100 * 300);
	assert_int_equal(pair->up.shared->entries, 101);
	assert_int_equal(pair->up.shared->exits, 100);
	assert_int_equal(pair->up.shared->passed, 100 * 4000);
}

/* Sends, topping up in time, until the target's queue does not move any more. */
static uint64_t fill_target(struct pair *pair)
{
	uint64_t sent = 0;
	const double started = fixture_now();
	double moved = started;
	uint32_t last = 0;

	/* On a busy machine the kernel's threads may rest for longer than that. */
	while (fixture_now() - moved < 0.5 || sockmap_flow_redirected(&pair->up) < sent) {
		uint32_t waiting = sockmap_flow_top_up(&pair->up);

		assert_true(sent < FILL_MAX_BYTES);
		assert_true(fixture_now() - started < 60);
		if (waiting < BUDGET / 4) {
			fixture_send(pair->client, 8192, sent, 1);
			sent += 8192;
		}
		if (waiting == 0 || waiting != last)
			moved = fixture_now();
		last = waiting;
	}
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_REDIRECTING);
	assert_int_equal(sockmap_flow_redirected(&pair->up), sent);
	return sent;
}

/* Sends until nothing more is taken for a while; bytes sent. */
static uint64_t fill_all(struct pair *pair)
{
	static const uint8_t bytes[64 * 1024];
	uint64_t sent = 0;

	for (;;) {
		ssize_t n = send(pair->client, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);

		sent += n > 0 ? (uint64_t)n : 0;
		assert_true(sent < FILL_MAX_BYTES);
		sockmap_flow_top_up(&pair->up);
		if (n < 0 && !fixture_wait(pair->client, POLLOUT, 300))
			return sent;
	}
}

static uint64_t in_buffers(const struct pair *pair)
{
	return (uint64_t)fixture_unacknowledged(pair->client) +
	       (uint64_t)fixture_unread(pair->source) +
	       (uint64_t)fixture_unacknowledged(pair->target) +
	       (uint64_t)fixture_unread(pair->server);
}

static void test_stalled_reader(void **state)
{
	struct pair *pair = pair_of(state);
	uint64_t sent;
	uint64_t beyond = 0;

	assert_int_equal(enter_up(pair), 0);
	sent = fill_target(pair);
	/* On a busy machine the kernel's thread may not have come to it yet. */
	for (int tries = 0; tries < 30 && beyond == 0; tries++) {
		sent += fill_all(pair);
		beyond = sent - in_buffers(pair);
	}
	print_message("sent %llu KiB, beyond the sockets' buffers %llu KiB\n",
		      (unsigned long long)sent / 1024, (unsigned long long)beyond / 1024);
	assert_true(beyond > 0 && beyond <= BUDGET);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_PASSING);
	assert_int_equal(beyond, sockmap_flow_top_up(&pair->up));
}

static void test_leave_does_not_wait_for_the_reader(void **state)
{
	struct pair *pair = pair_of(state);
	uint64_t redirected;
	uint8_t byte;
	int size;
	int lock;

	assert_int_equal(enter_up(pair), 0);
	fill_target(pair);
	assert_true(sockmap_flow_top_up(&pair->up) > 0);
	size = option_of(pair->target, SO_SNDBUF);
	lock = option_of(pair->target, SO_BUF_LOCK);
	leave(&pair->up); /* fails after a deadline */
	redirected = sockmap_flow_redirected(&pair->up);
	assert_int_equal(sockmap_flow_top_up(&pair->up), 0);
	/* The target's buffer is as it was, also free to grow. */
	assert_int_equal(option_of(pair->target, SO_SNDBUF), size);
	assert_int_equal(option_of(pair->target, SO_BUF_LOCK), lock);
	assert_true(lock <= 0);
	/* What user space writes now comes after all of it. */
	fixture_fill(&byte, 1, redirected, 1);
	if (send(pair->target, &byte, 1, MSG_DONTWAIT) == 1)
		redirected++;
	fixture_expect(pair->server, redirected, 0, 1);
}

static void test_slots_exhausted(void **state)
{
	struct pair *pair = pair_of(state);
	struct pair more[SLOTS];

	for (int i = 0; i < SLOTS; i++) {
		more[i] = (struct pair){0};
		fixture_connect(IPPROTO_TCP, &more[i].source, &more[i].client);
		fixture_connect(IPPROTO_TCP, &more[i].target, &more[i].server);
		assert_int_equal(sockmap_flow_prepare(&more[i].up, &more[i].down, worker,
						      more[i].source, more[i].target, 1),
				 0);
		assert_int_equal(enter_up(&more[i]), 0);
	}
	assert_int_equal(enter_up(pair), -ENOSPC);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_OUT);
	sockmap_flow_release(&more[3].up);
	assert_int_equal(enter_up(pair), 0);
	fixture_send(pair->client, 100, 0, 1);
	fixture_expect(pair->server, 100, 0, 1);
	for (int i = 0; i < SLOTS; i++) {
		/* Each its own way; what the released one gets stays where it is. */
		fixture_send(more[i].client, 100, 0, (uint64_t)i + 2);
		if (i == 3)
			fixture_expect_nothing(more[i].server, QUIET_MS);
		else
			fixture_expect(more[i].server, 100, 0, (uint64_t)i + 2);
		sockmap_flow_release(&more[i].up);
		close(more[i].client);
		close(more[i].server);
		close(more[i].source);
		close(more[i].target);
	}
}

static void test_mptcp_is_refused_or_works(void **state)
{
	struct pair *pair = pair_of(state);
	struct pair other = {0};
	int err;

	if (!fixture_connect(IPPROTO_MPTCP, &other.source, &other.client)) {
		print_message("SKIP: no MPTCP\n");
		skip();
	}
	other.target = pair->target;
	assert_int_equal(
		sockmap_flow_prepare(&other.up, &other.down, worker, other.source, other.target, 1),
		0);
	err = enter_up(&other);
	if (err == 0) {
		fixture_send(other.client, 5000, 0, 1);
		fixture_expect(pair->server, 5000, 0, 1);
		assert_true(sockmap_feature(sockmap, SOCKMAP_MPTCP)->available);
	} else {
		assert_int_equal(err, -EOPNOTSUPP);
		assert_false(sockmap_feature(sockmap, SOCKMAP_MPTCP)->available);
		assert_true(strlen(sockmap_feature(sockmap, SOCKMAP_MPTCP)->reason) > 10);
	}
	sockmap_flow_release(&other.up);
	close(other.source);
	close(other.client);
	/* And as a target. */
	assert_true(fixture_connect(IPPROTO_MPTCP, &other.target, &other.server));
	other.source = pair->source;
	assert_int_equal(
		sockmap_flow_prepare(&other.up, &other.down, worker, other.source, other.target, 1),
		0);
	assert_int_equal(enter_up(&other), err);
	sockmap_flow_release(&other.up);
	close(other.target);
	close(other.server);
	/* The TCP socket that it was tried with is none the worse. */
	assert_int_equal(enter_up(pair), 0);
	fixture_send(pair->client, 100, 0, 1);
	fixture_expect(pair->server, 100, err ? 0 : 5000, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(test_prepare_leaves_no_trace),
		PAIR_TEST(test_early_data),
		PAIR_TEST(test_read_before_entering),
		PAIR_TEST(test_read_in_part),
		PAIR_TEST(test_read_in_part_of_merged),
		PAIR_TEST(test_read_in_part_of_much),
		PAIR_TEST(test_sent_again),
		PAIR_TEST(test_sent_again_while_passing),
		PAIR_TEST(test_broken),
		PAIR_TEST(test_pass_and_enter_again),
		PAIR_TEST(test_stalled_reader),
		PAIR_TEST(test_leave_does_not_wait_for_the_reader),
		PAIR_TEST(test_slots_exhausted),
		PAIR_TEST(test_mptcp_is_refused_or_works),
	};

	return cmocka_run_group_tests_name("sockmap_flow", tests, group_setup, group_teardown);
}
