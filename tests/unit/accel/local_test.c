/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients that send past TCP, over loopback, with both sockets in our hands: order, bound, end. */
#include "sockmap_fixture.h"

#include <pthread.h>
#include <sys/socket.h>

#include "accel/local.h"
#include "net/socket.h"
#include "net/socket_reset.h"
#include "session/stats.h"

#define BUDGET_BYTES ((size_t)65536)

/* A client in the map, its accepted socket, and what the tests look at. */
struct bed {
	struct local *local;
	struct local_worker *worker;
	struct local_client *client;
	struct local_counts counts;
	int near; /* accepted */
	int far;  /* the client's */
	uint64_t sent;
	uint64_t received;
};

/* Skips the test where the kernel refuses. */
static void bed_open(struct bed *bed)
{
	const struct local_options options = {
		.workers = 1, .slots = 2, .budget_bytes = BUDGET_BYTES};

	*bed = (struct bed){.local = local_open(&options)};
	assert_non_null(bed->local);
	bed->worker = local_worker(bed->local, 0);
	if (!bed->worker) {
		print_message("SKIP: %s\n", local_feature(bed->local)->reason);
		local_close(bed->local);
		skip();
	}
	assert_true(fixture_connect(IPPROTO_TCP, &bed->near, &bed->far));
	assert_int_equal(fcntl(bed->far, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(local_adopt(bed->worker, bed->far, bed->near), 0);
}

static void bed_accelerate(struct bed *bed, uint64_t read)
{
	union address address;

	socket_local_address(bed->far, &address);
	bed->client = local_client_open(bed->worker, bed->near, &address, read, 1);
	assert_non_null(bed->client);
}

/* Then the counters hold what it did. */
static void bed_end(struct bed *bed)
{
	local_counts_add(&bed->counts, local_client_close(bed->client));
	bed->client = NULL;
}

static void bed_close(struct bed *bed)
{
	bed_end(bed);
	close(bed->near);
	close(bed->far);
	local_close(bed->local);
}

static void bed_send(struct bed *bed, size_t len)
{
	fixture_send(bed->far, len, bed->sent, 1);
	bed->sent += len;
}

static void bed_receive(struct bed *bed, size_t len)
{
	fixture_expect(bed->near, len, bed->received, 1);
	bed->received += len;
	if (bed->client)
		local_client_read(bed->client, len);
}

static void expect_end(int fd)
{
	char byte;

	assert_true(fixture_wait(fd, POLLIN, FIXTURE_DEADLINE_MS));
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
}

static void test_does_not_touch_tcp(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed);
	bed_accelerate(&bed, 0);
	for (int i = 0; i < 1000; i++) {
		bed_send(&bed, 100);
		bed_receive(&bed, 100);
	}
	assert_int_equal(socket_received_bytes(bed.near), 0);
	bed_end(&bed);
	assert_int_equal(bed.counts.clients, 1);
	assert_int_equal(bed.counts.redirected, 100000);
	assert_int_equal(bed.counts.passed, 0);
	bed_close(&bed);
}

/* recv() takes what was redirected first, so nothing may be while TCP bytes are unread. */
static void test_does_not_overtake_tcp(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed);
	bed_send(&bed, 300);
	bed_receive(&bed, 100);
	bed_accelerate(&bed, 100);
	bed_send(&bed, 1000); /* behind 200 unread bytes */
	bed_receive(&bed, 700);
	bed_send(&bed, 50); /* the same */
	bed_receive(&bed, 550);
	bed_send(&bed, 10); /* all is read */
	bed_receive(&bed, 10);
	bed_end(&bed);
	assert_int_equal(bed.counts.passed, 1050);
	assert_int_equal(bed.counts.redirected, 10);
	bed_close(&bed);
}

/* Bytes that the program has never seen count too: here the client was not in the map yet. */
static void test_counts_what_it_did_not_see(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed);
	bed_send(&bed, 64);
	bed_accelerate(&bed, 0);
	bed_receive(&bed, 32);
	bed_send(&bed, 32);
	bed_receive(&bed, 64);
	bed_end(&bed);
	assert_int_equal(bed.counts.redirected, 0);
	bed_close(&bed);
}

static size_t send_until_full(struct bed *bed, size_t piece)
{
	uint8_t bytes[16384];
	uint64_t before = bed->sent;

	for (;;) {
		ssize_t n;

		fixture_fill(bytes, piece, bed->sent, 1);
		n = send(bed->far, bytes, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			return bed->sent - before;
		}
		bed->sent += (uint64_t)n;
		assert_true(bed->sent - before < 64U << 20);
	}
}

/* Nobody reads: the budget is redirected, then TCP fills up as ever and says so. */
static void test_stalled_reader_is_bounded(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed);
	bed_accelerate(&bed, 0);
	assert_true(send_until_full(&bed, 16384) > BUDGET_BYTES);
	bed_receive(&bed, bed.sent);
	bed_end(&bed);
	assert_int_equal(bed.counts.redirected, BUDGET_BYTES);
	bed_close(&bed);
}

/* A message costs the kernel about 1 KiB, however small. */
static void test_messages_are_bounded(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed);
	bed_accelerate(&bed, 0);
	for (int i = 0; i < 1000; i++)
		bed_send(&bed, 1);
	bed_receive(&bed, 1000);
	bed_end(&bed);
	assert_int_equal(bed.counts.redirected, LOCAL_BUDGET_MESSAGES);
	bed_close(&bed);
}

static void test_larger_than_the_budget(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed);
	bed_accelerate(&bed, 0);
	for (int i = 0; i < 5; i++) {
		bed_send(&bed, 3 * BUDGET_BYTES);
		bed_receive(&bed, 3 * BUDGET_BYTES);
		bed_send(&bed, 10);
		bed_receive(&bed, 10);
	}
	bed_end(&bed);
	assert_true(bed.counts.redirected >= 50);
	assert_true(bed.counts.passed > 0);
	bed_close(&bed);
}

static void test_end_comes_after_the_data(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed);
	bed_accelerate(&bed, 0);
	bed_send(&bed, 1000);
	assert_int_equal(shutdown(bed.far, SHUT_WR), 0);
	bed_receive(&bed, 1000);
	expect_end(bed.near);
	bed_end(&bed);
	assert_int_equal(bed.counts.redirected, 1000);
	bed_close(&bed);
}

static void test_reset_comes_after_the_data(void **state)
{
	struct bed bed;
	char byte;

	(void)state;
	bed_open(&bed);
	bed_accelerate(&bed, 0);
	bed_send(&bed, 1000);
	socket_reset(bed.far);
	bed.far = socket(AF_INET, SOCK_STREAM, 0);
	bed_receive(&bed, 1000);
	assert_int_equal(recv(bed.near, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
	bed_close(&bed);
}

/* In a sockhash, recv() that has to wait would fail with EAGAIN for no reason, and FIONREAD would
 * not count what came by TCP; such a client is let go at its first bytes. */
static void test_blocking_client_is_let_go(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed);
	bed_accelerate(&bed, 0);
	assert_int_equal(fcntl(bed.far, F_SETFL, 0), 0);
	bed_send(&bed, 100);
	bed_receive(&bed, 100);
	assert_int_equal(send(bed.near, "answer", 6, 0), 6);
	assert_true(fixture_wait(bed.far, POLLIN, FIXTURE_DEADLINE_MS));
	assert_int_equal(fixture_unread(bed.far), 6);
	assert_int_equal(fcntl(bed.far, F_SETFL, O_NONBLOCK), 0);
	bed_send(&bed, 100);
	bed_receive(&bed, 100);
	bed_end(&bed);
	assert_int_equal(bed.counts.redirected, 0);
	bed_close(&bed);
}

/* Bulk gains nothing, and pays for the program. */
static void test_bulk_is_let_go(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed);
	bed_accelerate(&bed, 0);
	for (int i = 0; i < 40; i++) {
		bed_send(&bed, 2 * BUDGET_BYTES);
		bed_receive(&bed, 2 * BUDGET_BYTES);
	}
	bed_send(&bed, 100);
	bed_receive(&bed, 100);
	assert_int_equal(send(bed.near, "answer", 6, 0), 6);
	assert_true(fixture_wait(bed.far, POLLIN, FIXTURE_DEADLINE_MS));
	assert_int_equal(fixture_unread(bed.far), 6);
	bed_end(&bed);
	assert_true(bed.counts.passed < bed.sent);
	bed_close(&bed);
}

#define STREAM_BYTES (8U << 20)

struct sender {
	int fd;
	uint64_t seed;
};

static uint32_t dice(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

static void *send_pieces(void *argument)
{
	static __thread uint8_t bytes[1 << 17];
	const struct sender *sender = argument;
	uint64_t state = sender->seed;

	for (uint64_t sent = 0; sent < STREAM_BYTES;) {
		size_t len = 1 + dice(&state) % (1U << dice(&state) % 18);
		struct pollfd room = {.fd = sender->fd, .events = POLLOUT};
		ssize_t n;

		if (len > STREAM_BYTES - sent)
			len = STREAM_BYTES - sent;
		fixture_fill(bytes, len, sent, 1);
		n = send(sender->fd, bytes, len,
			 MSG_NOSIGNAL | MSG_DONTWAIT | (dice(&state) % 4 == 0 ? MSG_MORE : 0));
		if (n < 0 && errno != EAGAIN)
			break;
		sent += n > 0 ? (uint64_t)n : 0;
		if (n < 0)
			poll(&room, 1, 1000);
		else if (dice(&state) % 8 == 0)
			fixture_sleep_us(dice(&state) % 300);
	}
	shutdown(sender->fd, SHUT_WR);
	return NULL;
}

/* Pieces and pauses of all sizes on both sides, so that the way changes at every moment. */
static void check_stream(uint64_t seed, struct local_counts *sum)
{
	static uint8_t bytes[1 << 17];
	struct bed bed;
	struct sender sender;
	uint64_t state = seed * 31;
	pthread_t thread;

	bed_open(&bed);
	bed_accelerate(&bed, 0);
	sender = (struct sender){bed.far, seed};
	assert_int_equal(pthread_create(&thread, NULL, send_pieces, &sender), 0);
	for (;;) {
		ssize_t n;

		assert_true(fixture_wait(bed.near, POLLIN, FIXTURE_DEADLINE_MS));
		n = recv(bed.near, bytes, 1 + dice(&state) % sizeof(bytes), MSG_DONTWAIT);
		if (n == 0)
			break;
		assert_true(n > 0);
		assert_true(fixture_check(bytes, (size_t)n, bed.received, 1));
		bed.received += (uint64_t)n;
		/* Late, or early: the way back of the credit has no fixed time either. */
		if (dice(&state) % 16 == 0)
			fixture_sleep_us(dice(&state) % 1000);
		local_client_read(bed.client, (uint64_t)n);
	}
	pthread_join(thread, NULL);
	assert_int_equal(bed.received, STREAM_BYTES);
	bed_end(&bed);
	local_counts_add(sum, bed.counts);
	bed_close(&bed);
}

static void test_streams_stay_whole(void **state)
{
	struct local_counts sum = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++)
		check_stream(seed, &sum);
	/* Else it has tested less than it says. */
	assert_true(sum.redirected > 1U << 16);
	assert_true(sum.passed > 1U << 16);
}

/* Slots come back, and a client without one is served by TCP. */
static void test_slots(void **state)
{
	struct local_client *clients[3];
	union address address;
	struct local_counts counts = {0};
	struct bed bed;
	int near[3] = {-1, -1, -1};
	int far[3] = {-1, -1, -1};

	(void)state;
	bed_open(&bed); /* of two slots */
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3; i++) {
			assert_true(fixture_connect(IPPROTO_TCP, &near[i], &far[i]));
			assert_int_equal(local_adopt(bed.worker, far[i], near[i]), 0);
			socket_local_address(far[i], &address);
			clients[i] = local_client_open(bed.worker, near[i], &address, 0, 1);
		}
		assert_non_null(clients[0]);
		assert_non_null(clients[1]);
		assert_null(clients[2]);
		for (int i = 0; i < 3; i++) {
			local_counts_add(&counts, local_client_close(clients[i]));
			close(near[i]);
			close(far[i]);
		}
	}
	assert_int_equal(counts.clients, 10);
	bed_close(&bed);
}

static void test_stranger_is_left_alone(void **state)
{
	union address address;
	struct bed bed;
	int near = -1;
	int far = -1;

	(void)state;
	bed_open(&bed);
	assert_true(fixture_connect(IPPROTO_TCP, &near, &far));
	socket_local_address(far, &address);
	assert_null(local_client_open(bed.worker, near, &address, 0, 1));
	close(near);
	close(far);
	bed_close(&bed);
}

static void test_no_cgroup_is_a_reason(void **state)
{
	const struct local_options options = {.cgroup = "/tmp", .workers = 1, .slots = 1};
	struct local *local = local_open(&options);

	(void)state;
	assert_non_null(local);
	assert_false(local_feature(local)->available);
	assert_true(strlen(local_feature(local)->reason) > 0);
	assert_null(local_worker(local, 0));
	local_listen(local, NULL, 0);
	local_close(local);
}

static void test_not_asked_for(void **state)
{
	(void)state;
	assert_string_equal(local_feature(NULL)->reason, "not asked for");
	assert_null(local_worker(NULL, 0));
	assert_null(local_client_open(NULL, -1, NULL, 0, 0));
	assert_int_equal(local_client_close(NULL).clients, 0);
	local_listen(NULL, NULL, 0);
	local_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_does_not_touch_tcp),
		cmocka_unit_test(test_does_not_overtake_tcp),
		cmocka_unit_test(test_counts_what_it_did_not_see),
		cmocka_unit_test(test_stalled_reader_is_bounded),
		cmocka_unit_test(test_messages_are_bounded),
		cmocka_unit_test(test_larger_than_the_budget),
		cmocka_unit_test(test_end_comes_after_the_data),
		cmocka_unit_test(test_reset_comes_after_the_data),
		cmocka_unit_test(test_blocking_client_is_let_go),
		cmocka_unit_test(test_bulk_is_let_go),
		cmocka_unit_test(test_streams_stay_whole),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_stranger_is_left_alone),
		cmocka_unit_test(test_no_cgroup_is_a_reason),
		cmocka_unit_test(test_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
