/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parked.c with the real program over loopback: the traps of sockmap, one by one. What moves
 * streams through all of them at once is in parked_stream_test.c. */
#include "accel_fixture.h"

#include "parked.h"

#define SLOTS	 8
#define BUDGET	 ACCEL_BUDGET_BYTES
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

static int group_setup(void **state)
{
	const struct accel_options options = {.workers = 1, .slots = SLOTS, .budget_bytes = BUDGET};

	(void)state;
	accel = accel_open(&options);
	if (!accel)
		return -1;
	worker = accel_worker(accel, 0);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	accel_close(accel);
	return 0;
}

static void ignore_event(void *owner, enum hawser_event_kind kind)
{
	(void)owner;
	(void)kind;
}

static int pair_setup(void **state)
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

static int pair_teardown(void **state)
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
static struct pair *pair_of(void **state)
{
	if (fixture_refused(accel)) {
		print_message("SKIP: %s\n", fixture_refused(accel));
		skip();
	}
	assert_string_equal(accel_feature(accel, ACCEL_TCP)->reason, "");
	assert_non_null(worker);
	return *state;
}

static int enter_up(struct pair *pair)
{
	return parked_enter(&pair->up);
}

static int enter_down(struct pair *pair)
{
	return parked_enter(&pair->down);
}

static void leave(struct parked *parked)
{
	double deadline = fixture_now() + 5;

	while (!parked_leave(parked)) {
		assert_true(fixture_now() < deadline);
		fixture_sleep_us(1000);
	}
}

/* Bytes received; 0: none now. */
static size_t take(struct parked *parked, uint8_t *bytes, size_t size)
{
	ssize_t n = parked_recv(parked, bytes, size);

	assert_true(n > 0 || n == -EAGAIN);
	return n > 0 ? (size_t)n : 0;
}

static void small_buffers(int sender, int receiver)
{
	int size = 16 * 1024;

	setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

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
	assert_int_equal(
		parked_prepare(&pair->up, &pair->down, worker, pair->source, pair->target, 42), 0);
	assert_int_equal(option_of(pair->source, SO_REUSEADDR), 1);
	assert_int_equal(parked_mode(&pair->up), PARKED_OUT);
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
	assert_true(fixture_wait(pair->source, POLLIN, 1000));
	assert_int_equal(enter_up(pair), 0);
	fixture_expect(pair->server, 3000, 0, 1);
	assert_int_equal(parked_redirected(&pair->up), 3000);
	assert_int_equal(parked_mode(&pair->up), PARKED_REDIRECTING);
}

static void test_read_before_entering(void **state)
{
	struct pair *pair = pair_of(state);
	uint8_t bytes[1000];

	fixture_send(pair->client, 1000, 0, 1);
	assert_true(fixture_wait(pair->source, POLLIN, 1000));
	assert_int_equal(recv(pair->source, bytes, 1000, 0), 1000);
	fixture_send(pair->target, 1000, 0, 1);
	assert_int_equal(enter_up(pair), 0);
	fixture_send(pair->client, 500, 1000, 1);
	fixture_expect(pair->server, 1500, 0, 1);
	fixture_expect_nothing(pair->server, QUIET_MS);
}

static void test_read_in_part(void **state)
{
	struct pair *pair = pair_of(state);
	uint8_t bytes[6000];

	/* The kernel redirects such an skb whole; what was read of it must be cut off. */
	fixture_send(pair->client, 30000, 0, 1);
	while (fixture_unread(pair->source) < 30000)
		fixture_sleep_us(100);
	assert_int_equal(recv(pair->source, bytes, sizeof(bytes), 0), sizeof(bytes));
	fixture_send(pair->target, sizeof(bytes), 0, 1);
	assert_int_equal(enter_up(pair), 0);
	fixture_expect(pair->server, 30000, 0, 1);
	fixture_expect_nothing(pair->server, QUIET_MS);
	assert_int_equal(parked_redirected(&pair->up), 30000 - sizeof(bytes));
	assert_int_equal(parked_mode(&pair->up), PARKED_REDIRECTING);
	assert_int_equal(pair->up.flow->trimmed, sizeof(bytes));
}

/* TCP merges what waits, so the first of it may begin further back than can be cut off. */
static void test_read_in_part_of_much(void **state)
{
	struct pair *pair = pair_of(state);
	const size_t total = 400000;
	static uint8_t bytes[400000];
	int size = 1 << 21;

	setsockopt(pair->source, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	fixture_send(pair->client, total, 0, 1);
	while (fixture_unread(pair->source) < (int)total)
		fixture_sleep_us(100);
	assert_int_equal(recv(pair->source, bytes, HAWSER_TRIM_BYTES + 1, 0),
			 HAWSER_TRIM_BYTES + 1);
	assert_int_equal(enter_up(pair), -EAGAIN);
	assert_int_equal(parked_mode(&pair->up), PARKED_OUT);
	assert_int_equal(recv(pair->source, bytes + HAWSER_TRIM_BYTES + 1, total, MSG_DONTWAIT),
			 total - HAWSER_TRIM_BYTES - 1);
	assert_true(fixture_check(bytes, total, 0, 1));
	assert_int_equal(parked_enter(&pair->up), 0);
	fixture_send(pair->client, 1000, total, 1);
	fixture_expect(pair->server, 1000, total, 1);
	assert_int_equal(parked_mode(&pair->up), PARKED_REDIRECTING);
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
	assert_int_equal(
		parked_prepare(&pair->up, &pair->down, worker, pair->source, pair->target, 42), 0);
	assert_int_equal(enter_up(pair), 0);
	if (pass)
		leave(&pair->up);
	fixture_send(pair->client, overlap_bytes + 1000, 0, 1);
	while (pass && had < 1000) {
		size_t n;

		assert_true(fixture_wait(pair->source, POLLIN, 1000));
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
	assert_int_equal(pair->up.flow->trimmed, overlap_bytes);
	assert_int_equal(parked_mode(&pair->up), PARKED_REDIRECTING);
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
	pair->up.flow->next_seq -= 1000;
	fixture_send(pair->client, 100, 100, 1);
	fixture_expect(pair->server, 100, 100, 1);
	assert_int_equal(parked_mode(&pair->up), PARKED_BROKEN);
}

static void test_empty_fin(void **state)
{
	struct pair *pair = pair_of(state);
	int error = -1;
	socklen_t len = sizeof(error);

	assert_int_equal(enter_up(pair), 0);
	assert_int_equal(enter_down(pair), 0);
	fixture_send(pair->client, 10, 0, 1);
	fixture_expect(pair->server, 10, 0, 1);
	assert_int_equal(parked_ended(&pair->up), 0);
	assert_int_equal(shutdown(pair->client, SHUT_WR), 0);
	assert_true(fixture_wait(pair->source, POLLRDHUP, 1000));
	assert_int_equal(parked_ended(&pair->up), 1);
	/* Redirected, it would have put EPIPE on the target and emptied its queue. */
	assert_int_equal(getsockopt(pair->target, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	assert_int_equal(error, 0);
	fixture_send(pair->server, 5000, 0, 2);
	fixture_expect(pair->client, 5000, 0, 2);
	leave(&pair->up);
	assert_int_equal(parked_redirected(&pair->up), 10);
	assert_int_equal(shutdown(pair->target, SHUT_WR), 0);
	assert_int_equal(recv(pair->server, &error, 1, 0), 0);
}

static void test_fin_with_data(void **state)
{
	struct pair *pair = pair_of(state);
	char byte;
	int cork = 1;

	assert_int_equal(enter_up(pair), 0);
	setsockopt(pair->client, IPPROTO_TCP, TCP_CORK, &cork, sizeof(cork));
	fixture_send(pair->client, 777, 0, 1);
	assert_int_equal(shutdown(pair->client, SHUT_WR), 0);
	assert_true(fixture_wait(pair->source, POLLRDHUP, 1000));
	assert_int_equal(parked_ended(&pair->up), 1);
	leave(&pair->up);
	assert_int_equal(parked_redirected(&pair->up), 777);
	assert_int_equal(shutdown(pair->target, SHUT_WR), 0);
	fixture_expect(pair->server, 777, 0, 1);
	assert_int_equal(recv(pair->server, &byte, 1, 0), 0);
}

static void test_target_reset(void **state)
{
	struct pair *pair = pair_of(state);
	const struct linger linger = {.l_onoff = 1};
	struct pollfd source = {.fd = pair->source, .events = POLLRDHUP};
	struct pollfd target = {.fd = pair->target, .events = POLLRDHUP};

	assert_int_equal(enter_up(pair), 0);
	setsockopt(pair->server, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(pair->server);
	pair->server = dup(pair->client);
	assert_int_equal(poll(&target, 1, 1000), 1);
	assert_true(target.revents & POLLERR);
	/* The source learns nothing of it, not even when more comes. */
	fixture_send(pair->client, 100, 0, 1);
	assert_int_equal(poll(&source, 1, QUIET_MS), 0);
	/* Its slot can be used again. */
	parked_release(&pair->up);
	assert_int_equal(parked_mode(&pair->up), PARKED_OUT);
}

static void test_source_reset(void **state)
{
	struct pair *pair = pair_of(state);
	const struct linger linger = {.l_onoff = 1};

	assert_int_equal(enter_up(pair), 0);
	fixture_send(pair->client, 100, 0, 1);
	fixture_expect(pair->server, 100, 0, 1);
	setsockopt(pair->client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(pair->client);
	pair->client = dup(pair->server);
	assert_true(fixture_wait(pair->source, POLLRDHUP, 1000));
	assert_int_equal(parked_ended(&pair->up), -ECONNRESET);
	leave(&pair->up);
	assert_int_equal(parked_redirected(&pair->up), 100);
}

static void test_peer_has_shut_down(void **state)
{
	struct pair *pair = pair_of(state);
	/* CLOSE_WAIT: the kernel takes no such socket. Nothing may stay behind. */
	shutdown(pair->client, SHUT_WR);
	assert_true(fixture_wait(pair->source, POLLRDHUP, 1000));
	for (int i = 0; i < SLOTS + 1; i++) {
		assert_int_equal(enter_up(pair), -EOPNOTSUPP);
		assert_int_equal(enter_down(pair), -EOPNOTSUPP);
	}
	assert_int_equal(parked_mode(&pair->up), PARKED_OUT);
	assert_true(parked_leave(&pair->up));
	fixture_send(pair->target, 10, 0, 1);
	fixture_expect(pair->server, 10, 0, 1);
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
		assert_false(parked_mode(&pair->up) == PARKED_PASSING);
		leave(&pair->up);
		assert_int_equal(parked_mode(&pair->up), PARKED_PASSING);
		fixture_send(pair->client, 4000, up, 1);
		assert_true(fixture_wait(pair->source, POLLIN, 1000));
		/* What is unread would be overtaken. */
		assert_int_equal(enter_up(pair), -EAGAIN);
		for (size_t had = 0; had < 4000;) {
			size_t n = take(&pair->up, bytes, sizeof(bytes));

			assert_true(n > 0 || fixture_wait(pair->source, POLLIN, 1000));
			assert_true(fixture_check(bytes, n, up + had, 1));
			had += n;
		}
		fixture_send(pair->target, 4000, up, 1);
		fixture_expect(pair->server, 4000, up, 1);
		up += 4000;
		assert_int_equal(parked_unread(&pair->up), 0);
		assert_int_equal(enter_up(pair), 0);
	}
	assert_int_equal(parked_redirected(&pair->up), 100 * 300);
	assert_int_equal(pair->up.flow->entries, 101);
	assert_int_equal(pair->up.flow->exits, 100);
	assert_int_equal(pair->up.flow->passed, 100 * 4000);
}

/* Sends, topping up in time, until the target's queue does not move any more. */
static uint64_t fill_target(struct pair *pair)
{
	uint64_t sent = 0;
	double moved = fixture_now();
	uint32_t last = 0;

	while (fixture_now() - moved < 0.5) {
		uint32_t waiting = parked_top_up(&pair->up);

		assert_true(sent < FILL_MAX_BYTES);
		if (waiting < BUDGET / 4) {
			fixture_send(pair->client, 8192, sent, 1);
			sent += 8192;
		}
		if (waiting == 0 || waiting != last)
			moved = fixture_now();
		last = waiting;
	}
	assert_int_equal(parked_mode(&pair->up), PARKED_REDIRECTING);
	assert_int_equal(parked_redirected(&pair->up), sent);
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
		parked_top_up(&pair->up);
		if (n < 0 && !fixture_wait(pair->client, POLLOUT, 300))
			return sent;
	}
}

static void test_stalled_reader(void **state)
{
	struct pair *pair = pair_of(state);
	uint64_t sent;
	uint64_t buffered;
	uint64_t beyond;

	assert_int_equal(enter_up(pair), 0);
	sent = fill_target(pair);
	sent += fill_all(pair);
	buffered = (uint64_t)fixture_unacknowledged(pair->client) +
		   (uint64_t)fixture_unread(pair->source) +
		   (uint64_t)fixture_unacknowledged(pair->target) +
		   (uint64_t)fixture_unread(pair->server);
	beyond = sent - buffered;
	print_message("sent %llu KiB, beyond the sockets' buffers %llu KiB\n",
		      (unsigned long long)sent / 1024, (unsigned long long)beyond / 1024);
	assert_true(beyond > 0 && beyond <= BUDGET);
	assert_int_equal(parked_mode(&pair->up), PARKED_PASSING);
	assert_int_equal(beyond, parked_top_up(&pair->up));
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
	assert_true(parked_top_up(&pair->up) > 0);
	size = option_of(pair->target, SO_SNDBUF);
	lock = option_of(pair->target, SO_BUF_LOCK);
	leave(&pair->up); /* fails after a deadline */
	redirected = parked_redirected(&pair->up);
	assert_int_equal(parked_top_up(&pair->up), 0);
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

static void test_passed_bytes_behind_a_queue(void **state)
{
	struct pair *pair = pair_of(state);
	static uint8_t bytes[64 * 1024];
	size_t had;

	/* The client does not read: what goes down waits for the source socket. */
	small_buffers(pair->source, pair->client);
	assert_int_equal(enter_up(pair), 0);
	assert_int_equal(enter_down(pair), 0);
	for (uint64_t sent = 0; sent < BUDGET / 2; sent += 1024)
		fixture_send(pair->server, 1024, sent, 2);
	fixture_sleep_us(QUIET_MS * 1000);
	assert_true(parked_top_up(&pair->down) > 0);
	/* Now the client sends while up passes: its bytes queue behind those. */
	leave(&pair->up);
	fixture_send(pair->client, 5000, 0, 1);
	fixture_sleep_us(QUIET_MS * 1000);
	/* Not even the end of the stream, which the kernel does tell, may be taken for one. */
	shutdown(pair->client, SHUT_WR);
	assert_true(fixture_wait(pair->source, POLLRDHUP, 1000));
	had = take(&pair->up, bytes, sizeof(bytes));
	if (had > 0)
		print_message("this kernel is without the trap\n");
	else
		assert_int_equal(parked_ended(&pair->up), 0);
	assert_int_equal(parked_unread(&pair->up), 5000 - had);
	/* The way out: the opposite flow leaves. */
	leave(&pair->down);
	for (double deadline = fixture_now() + 2; had < 5000 && fixture_now() < deadline;)
		had += take(&pair->up, bytes + had, sizeof(bytes) - had);
	assert_int_equal(had, 5000);
	assert_true(fixture_check(bytes, 5000, 0, 1));
	assert_int_equal(parked_recv(&pair->up, bytes, sizeof(bytes)), 0);
	assert_int_equal(parked_ended(&pair->up), 1);
	fixture_expect(pair->client, BUDGET / 2, 0, 2);
}

/* The client ends its stream while what goes down to it waits in the kernel. */
static void end_beside_a_queue(struct pair *pair, bool pass)
{
	char byte;

	small_buffers(pair->source, pair->client);
	assert_int_equal(enter_up(pair), 0);
	assert_int_equal(enter_down(pair), 0);
	if (pass)
		leave(&pair->up);
	for (uint64_t sent = 0; sent < BUDGET / 2; sent += 1024)
		fixture_send(pair->server, 1024, sent, 2);
	fixture_sleep_us(QUIET_MS * 1000);
	assert_true(parked_top_up(&pair->down) > 0);
	assert_int_equal(shutdown(pair->client, SHUT_WR), 0);
	assert_true(fixture_wait(pair->source, POLLRDHUP, 1000));
	fixture_sleep_us(QUIET_MS * 1000);
	assert_int_equal(parked_ended(&pair->up), 1);
	leave(&pair->up);
	assert_int_equal(shutdown(pair->target, SHUT_WR), 0);
	assert_int_equal(recv(pair->server, &byte, 1, 0), 0);
	/* An end that were put into the queue would close it. */
	fixture_expect(pair->client, BUDGET / 2, 0, 2);
	fixture_send(pair->server, 5000, BUDGET / 2, 2);
	fixture_expect(pair->client, 5000, BUDGET / 2, 2);
	leave(&pair->down);
}

static void test_end_beside_a_queue(void **state)
{
	end_beside_a_queue(pair_of(state), false);
}

static void test_end_beside_a_queue_while_passing(void **state)
{
	end_beside_a_queue(pair_of(state), true);
}

struct seen {
	unsigned int low;
	unsigned int passed;
};
static struct seen seen;
static struct parked *seen_owner;

static void count_event(void *owner, enum hawser_event_kind kind)
{
	assert_ptr_equal(owner, seen_owner);
	if (kind == HAWSER_EVENT_LOW) {
		seen.low++;
		parked_top_up(owner);
	} else {
		seen.passed++;
	}
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
		if (fixture_wait(accel_event_fd(worker), POLLIN, 0))
			accel_read_events(worker, count_event);
	}
	assert_int_equal(parked_mode(&pair->up), PARKED_REDIRECTING);
	assert_int_equal(parked_redirected(&pair->up), up);
	assert_true(seen.low >= 14 && seen.low <= 17);
	assert_int_equal(seen.passed, 0);
	assert_int_equal(pair->up.flow->events, seen.low);
	assert_int_equal(pair->up.flow->events_lost, 0);
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
	assert_true(fixture_wait(accel_event_fd(worker), POLLIN, 1000));
	fixture_sleep_us(QUIET_MS * 1000);
	accel_read_events(worker, count_event);
	assert_int_equal(seen.low, 1);
	assert_int_equal(seen.passed, 1);
	assert_int_equal(parked_mode(&pair->up), PARKED_PASSING);
	assert_int_equal(enter_up(pair), -EBUSY);
	redirected = parked_redirected(&pair->up);
	assert_true(redirected <= BUDGET);
	fixture_expect(pair->server, redirected, 0, 1);
	/* Not a byte is in both or in neither. */
	for (uint64_t at = redirected; at < 2ULL * BUDGET;) {
		size_t n = take(&pair->up, bytes, sizeof(bytes));

		assert_true(n > 0 || fixture_wait(pair->source, POLLIN, 1000));
		assert_true(fixture_check(bytes, n, at, 1));
		at += n;
	}
	assert_int_equal(parked_unread(&pair->up), 0);
}

static void test_slots_exhausted(void **state)
{
	struct pair *pair = pair_of(state);
	struct pair more[SLOTS];

	for (int i = 0; i < SLOTS; i++) {
		more[i] = (struct pair){0};
		fixture_connect(IPPROTO_TCP, &more[i].source, &more[i].client);
		fixture_connect(IPPROTO_TCP, &more[i].target, &more[i].server);
		assert_int_equal(parked_prepare(&more[i].up, &more[i].down, worker, more[i].source,
						more[i].target, 1),
				 0);
		assert_int_equal(enter_up(&more[i]), 0);
	}
	assert_int_equal(enter_up(pair), -ENOSPC);
	assert_int_equal(parked_mode(&pair->up), PARKED_OUT);
	parked_release(&more[3].up);
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
		parked_release(&more[i].up);
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
		parked_prepare(&other.up, &other.down, worker, other.source, other.target, 1), 0);
	err = enter_up(&other);
	if (err == 0) {
		fixture_send(other.client, 5000, 0, 1);
		fixture_expect(pair->server, 5000, 0, 1);
		assert_true(accel_feature(accel, ACCEL_MPTCP)->available);
	} else {
		assert_int_equal(err, -EOPNOTSUPP);
		assert_false(accel_feature(accel, ACCEL_MPTCP)->available);
		assert_true(strlen(accel_feature(accel, ACCEL_MPTCP)->reason) > 10);
	}
	parked_release(&other.up);
	close(other.source);
	close(other.client);
	/* And as a target. */
	assert_true(fixture_connect(IPPROTO_MPTCP, &other.target, &other.server));
	other.source = pair->source;
	assert_int_equal(
		parked_prepare(&other.up, &other.down, worker, other.source, other.target, 1), 0);
	assert_int_equal(enter_up(&other), err);
	parked_release(&other.up);
	close(other.target);
	close(other.server);
	/* The TCP socket that it was tried with is none the worse. */
	assert_int_equal(enter_up(pair), 0);
	fixture_send(pair->client, 100, 0, 1);
	fixture_expect(pair->server, 100, err ? 0 : 5000, 1);
}

int main(void)
{
#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, pair_setup, pair_teardown)
	const struct CMUnitTest tests[] = {
		PAIR_TEST(test_prepare_leaves_no_trace),
		PAIR_TEST(test_early_data),
		PAIR_TEST(test_read_before_entering),
		PAIR_TEST(test_read_in_part),
		PAIR_TEST(test_read_in_part_of_much),
		PAIR_TEST(test_sent_again),
		PAIR_TEST(test_sent_again_while_passing),
		PAIR_TEST(test_broken),
		PAIR_TEST(test_empty_fin),
		PAIR_TEST(test_fin_with_data),
		PAIR_TEST(test_target_reset),
		PAIR_TEST(test_source_reset),
		PAIR_TEST(test_peer_has_shut_down),
		PAIR_TEST(test_pass_and_enter_again),
		PAIR_TEST(test_stalled_reader),
		PAIR_TEST(test_leave_does_not_wait_for_the_reader),
		PAIR_TEST(test_passed_bytes_behind_a_queue),
		PAIR_TEST(test_end_beside_a_queue),
		PAIR_TEST(test_end_beside_a_queue_while_passing),
		PAIR_TEST(test_top_up_by_events),
		PAIR_TEST(test_pass_event),
		PAIR_TEST(test_slots_exhausted),
		PAIR_TEST(test_mptcp_is_refused_or_works),
	};

	return cmocka_run_group_tests_name("parked", tests, group_setup, group_teardown);
}
