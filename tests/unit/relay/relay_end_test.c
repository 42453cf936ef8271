/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes that the kernel lost end a relay by a reset, but not before all that was given has been
 * acknowledged; what others have read is not lost. */
#include <sys/ioctl.h>

#include <linux/sockios.h>

#include "relay_fixture.h"

#define TOTAL (1 << 19)
#define HEAD  54 /* bytes that a hop has read */
#define LOST  100

uint64_t __wrap_socket_received_bytes(int fd);

static uint64_t received;

uint64_t __wrap_socket_received_bytes(int fd)
{
	(void)fd;
	return received;
}

static struct {
	struct relay_fixture fixture;
	bool ended;
	enum cause cause;
	int unacknowledged; /* of the client, when it ended */
} bench;

static void on_relay(struct relay *relay, enum relay_event event, enum cause cause)
{
	if (event != RELAY_ENDED)
		return;
	bench.ended = true;
	bench.cause = cause;
	ioctl(relay->client.fd, SIOCOUTQ, &bench.unacknowledged);
}

static int set_up(void **state)
{
	(void)state;
	memset(&bench, 0, sizeof(bench));
	relay_fixture_open(&bench.fixture, on_relay);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	relay_fixture_close(&bench.fixture);
	return 0;
}

static void run_for_ms(int ms)
{
	for (int i = 0; i < ms && !bench.ended; i++) {
		ev_run(bench.fixture.env.loop, EVRUN_NOWAIT);
		fixture_sleep_us(1000);
	}
}

/* The server sends, and ends its stream; the client does not read. */
static void relay_all(void)
{
	static const char bytes[TOTAL];
	const int narrow = 1 << 14;

	setsockopt(bench.fixture.client, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
	relay_prepare(&bench.fixture.relay, &bench.fixture.config, 1);
	/* As if it had. */
	bench.fixture.relay.server.transport = TRANSPORT_FALLBACK;
	bench.fixture.relay.server.uncounted = HEAD;
	relay_start(&bench.fixture.relay);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(send(bench.fixture.server, bytes, TOTAL / 2, 0), TOTAL / 2);
		run_for_ms(50);
	}
	shutdown(bench.fixture.server, SHUT_WR);
	run_for_ms(200);
}

static size_t read_late(void)
{
	static char bytes[TOTAL];
	size_t total = 0;

	for (int i = 0; i < 5000 && !bench.ended; i++) {
		ssize_t n = recv(bench.fixture.client, bytes, sizeof(bytes), MSG_DONTWAIT);

		total += n > 0 ? (size_t)n : 0;
		run_for_ms(1);
	}
	for (ssize_t n; (n = recv(bench.fixture.client, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0;)
		total += (size_t)n;
	return total;
}

static void what_was_given_is_acknowledged_before_a_reset(void **state)
{
	(void)state;
	received = HEAD + TOTAL + LOST;
	relay_all();
	assert_false(bench.ended);
	assert_int_equal(read_late(), TOTAL);
	assert_true(bench.ended);
	assert_int_equal(bench.cause, CAUSE_BYTES_LOST);
	assert_int_equal(bench.unacknowledged, 0);
}

/* And the end of the stream counts as one byte. */
static void what_others_have_read_is_not_lost(void **state)
{
	(void)state;
	received = HEAD + TOTAL + 1;
	relay_all();
	shutdown(bench.fixture.client, SHUT_WR);
	read_late();
	assert_true(bench.ended);
	assert_int_equal(bench.cause, CAUSE_NONE);
}

/* A client that is gone is not waited for, nor is one that resets meanwhile. */
static void nobody_is_waited_for_who_is_dead(void **state)
{
	const struct linger at_once = {.l_onoff = 1};

	(void)state;
	received = HEAD + TOTAL + LOST;
	relay_all();
	assert_false(bench.ended);
	setsockopt(bench.fixture.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(bench.fixture.client);
	bench.fixture.client = -1;
	run_for_ms(5000);
	assert_true(bench.ended);
	assert_int_equal(bench.cause, CAUSE_BYTES_LOST);
}

#define RELAY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RELAY_TEST(what_was_given_is_acknowledged_before_a_reset),
		RELAY_TEST(what_others_have_read_is_not_lost),
		RELAY_TEST(nobody_is_waited_for_who_is_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
