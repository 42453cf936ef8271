/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockmap_flow.c with the real program over loopback: the traps at the end of a stream. */
#include "sockmap_flow_fixture.h"

#include "net/socket_reset.h"

static void small_buffers(int sender, int receiver)
{
	int size = 16 * 1024;

	setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
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
	assert_int_equal(receive(&pair->up), -EAGAIN);
	assert_int_equal(shutdown(pair->client, SHUT_WR), 0);
	assert_true(fixture_wait(pair->source, POLLRDHUP, FIXTURE_DEADLINE_MS));
	assert_int_equal(receive(&pair->up), 0);
	/* Redirected, it would have put EPIPE on the target and emptied its queue. */
	assert_int_equal(getsockopt(pair->target, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	assert_int_equal(error, 0);
	fixture_send(pair->server, 5000, 0, 2);
	fixture_expect(pair->client, 5000, 0, 2);
	leave(&pair->up);
	assert_int_equal(sockmap_flow_redirected(&pair->up), 10);
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
	assert_true(fixture_wait(pair->source, POLLRDHUP, FIXTURE_DEADLINE_MS));
	assert_int_equal(receive(&pair->up), 0);
	leave(&pair->up);
	assert_int_equal(sockmap_flow_redirected(&pair->up), 777);
	assert_int_equal(shutdown(pair->target, SHUT_WR), 0);
	fixture_expect(pair->server, 777, 0, 1);
	assert_int_equal(recv(pair->server, &byte, 1, 0), 0);
}

/* A peek stops there; what waits behind it waits all the same. */
static void test_urgent_byte_waits(void **state)
{
	struct pair *pair = pair_of(state);
	const int on = 1;
	uint8_t bytes[200];

	setsockopt(pair->source, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	fixture_fill(bytes, sizeof(bytes), 0, 1);
	assert_int_equal(send(pair->client, bytes, 101, MSG_OOB), 101);
	assert_int_equal(send(pair->client, bytes + 101, 99, 0), 99);
	while (fixture_unread(pair->source) < (int)sizeof(bytes))
		fixture_sleep_us(100);
	assert_int_equal(enter_up(pair), 0);
	fixture_expect(pair->server, sizeof(bytes), 0, 1);
	assert_int_equal(sockmap_flow_redirected(&pair->up), sizeof(bytes));
	/* And one that is redirected. */
	fixture_fill(bytes, 1, sizeof(bytes), 1);
	assert_int_equal(send(pair->client, bytes, 1, MSG_OOB), 1);
	fixture_expect(pair->server, 1, sizeof(bytes), 1);
	leave(&pair->up);
}

static void test_target_reset(void **state)
{
	struct pair *pair = pair_of(state);
	struct pollfd source = {.fd = pair->source, .events = POLLRDHUP};
	struct pollfd target = {.fd = pair->target, .events = POLLRDHUP};

	assert_int_equal(enter_up(pair), 0);
	socket_reset(pair->server);
	pair->server = dup(pair->client);
	assert_int_equal(poll(&target, 1, FIXTURE_DEADLINE_MS), 1);
	assert_true(target.revents & POLLERR);
	/* The source learns nothing of it, not even when more comes. */
	fixture_send(pair->client, 100, 0, 1);
	assert_int_equal(poll(&source, 1, QUIET_MS), 0);
	/* Its slot can be used again. */
	sockmap_flow_release(&pair->up);
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_OUT);
}

static void test_source_reset(void **state)
{
	struct pair *pair = pair_of(state);

	assert_int_equal(enter_up(pair), 0);
	fixture_send(pair->client, 100, 0, 1);
	fixture_expect(pair->server, 100, 0, 1);
	socket_reset(pair->client);
	pair->client = dup(pair->server);
	assert_true(fixture_wait(pair->source, POLLRDHUP, FIXTURE_DEADLINE_MS));
	assert_int_equal(receive(&pair->up), -ECONNRESET);
	leave(&pair->up);
	assert_int_equal(sockmap_flow_redirected(&pair->up), 100);
}

static void test_peer_has_shut_down(void **state)
{
	struct pair *pair = pair_of(state);
	/* CLOSE_WAIT: the kernel takes no such socket. Nothing may stay behind. */
	shutdown(pair->client, SHUT_WR);
	assert_true(fixture_wait(pair->source, POLLRDHUP, FIXTURE_DEADLINE_MS));
	for (int i = 0; i < SLOTS + 1; i++) {
		assert_int_equal(enter_up(pair), -EOPNOTSUPP);
		assert_int_equal(enter_down(pair), -EOPNOTSUPP);
	}
	assert_int_equal(sockmap_flow_mode(&pair->up), SOCKMAP_FLOW_OUT);
	assert_true(sockmap_flow_leave(&pair->up));
	fixture_send(pair->target, 10, 0, 1);
	fixture_expect(pair->server, 10, 0, 1);
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
	assert_true(sockmap_flow_top_up(&pair->down) > 0);
	/* Now the client sends while up passes: its bytes queue behind those. */
	leave(&pair->up);
	fixture_send(pair->client, 5000, 0, 1);
	fixture_sleep_us(QUIET_MS * 1000);
	/* Not even the end of the stream, which the kernel does tell, may be taken for one. */
	shutdown(pair->client, SHUT_WR);
	assert_true(fixture_wait(pair->source, POLLRDHUP, FIXTURE_DEADLINE_MS));
	had = take(&pair->up, bytes, sizeof(bytes));
	if (had > 0)
		print_message("this kernel is without the trap\n");
	else
		assert_int_equal(receive(&pair->up), -EAGAIN);
	assert_int_equal(sockmap_flow_unread(&pair->up), 5000 - had);
	/* The way out: the opposite flow leaves. */
	leave(&pair->down);
	for (double deadline = fixture_now() + FIXTURE_DEADLINE_MS / 1e3;
	     had < 5000 && fixture_now() < deadline;)
		had += take(&pair->up, bytes + had, sizeof(bytes) - had);
	assert_int_equal(had, 5000);
	assert_true(fixture_check(bytes, 5000, 0, 1));
	assert_int_equal(sockmap_flow_recv(&pair->up, bytes, sizeof(bytes)), 0);
	assert_int_equal(receive(&pair->up), 0);
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
	assert_true(sockmap_flow_top_up(&pair->down) > 0);
	assert_int_equal(shutdown(pair->client, SHUT_WR), 0);
	assert_true(fixture_wait(pair->source, POLLRDHUP, FIXTURE_DEADLINE_MS));
	fixture_sleep_us(QUIET_MS * 1000);
	assert_int_equal(receive(&pair->up), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(test_empty_fin),
		PAIR_TEST(test_fin_with_data),
		PAIR_TEST(test_urgent_byte_waits),
		PAIR_TEST(test_target_reset),
		PAIR_TEST(test_source_reset),
		PAIR_TEST(test_peer_has_shut_down),
		PAIR_TEST(test_passed_bytes_behind_a_queue),
		PAIR_TEST(test_end_beside_a_queue),
		PAIR_TEST(test_end_beside_a_queue_while_passing),
	};

	return cmocka_run_group_tests_name("sockmap_flow_end", tests, group_setup, group_teardown);
}
