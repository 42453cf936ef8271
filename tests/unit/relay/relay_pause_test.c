/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket that poll(2) calls writable and that takes nothing costs a handful of attempts, not a
 * processor, and gets its bytes once it takes some. */
#include <fcntl.h>

#include "net/kernel.h"
#include "relay_fixture.h"

#define BYTES	5000
#define MUTE_MS 400
/* That something may take, until it is taken for never. */
#define ROUNDS 2000
/* 4, then after 10, 30, 70, 150, 310 ms. */
#define ATTEMPTS_MAX 15

ssize_t __real_stream_send(int fd, const void *bytes, size_t len);
ssize_t __wrap_stream_send(int fd, const void *bytes, size_t len);
ssize_t __real_splice(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned int flags);
ssize_t __wrap_splice(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned int flags);

static struct {
	struct relay_fixture fixture;
	int mute; /* takes nothing; -1: none */
	unsigned int attempts;
} bench;

static bool refuses(int fd)
{
	if (fd != bench.mute)
		return false;
	bench.attempts++;
	errno = EAGAIN;
	return true;
}

ssize_t __wrap_stream_send(int fd, const void *bytes, size_t len)
{
	return refuses(fd) ? -1 : __real_stream_send(fd, bytes, len);
}

ssize_t __wrap_splice(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned int flags)
{
	return refuses(out) ? -1 : __real_splice(in, in_at, out, out_at, len, flags);
}

static void on_relay(struct relay *relay, enum relay_event event, enum cause cause)
{
	(void)relay;
	(void)event;
	(void)cause;
}

static int set_up(void **state)
{
	(void)state;
	memset(&bench, 0, sizeof(bench));
	bench.mute = -1;
	relay_fixture_open(&bench.fixture, on_relay);
	/* splice(2) heeds no other word. */
	assert_int_equal(fcntl(bench.fixture.relay.client.fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(bench.fixture.relay.server.fd, F_SETFL, O_NONBLOCK), 0);
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
	const double end = fixture_now() + ms / 1e3;

	while (fixture_now() < end) {
		ev_run(bench.fixture.env.loop, EVRUN_NOWAIT);
		fixture_sleep_us(200);
	}
}

static void takes_nothing(enum tier_mode mode, int from, int to, int mute)
{
	static uint8_t sent[BYTES], got[BYTES];
	size_t len = 0;

	fixture_fill(sent, BYTES, 0, 1);
	bench.fixture.config.tier = mode;
	relay_prepare(&bench.fixture.relay, &bench.fixture.config, 1);
	/* As if the last had been large: small ones are copied, whatever the tier. */
	bench.fixture.relay.flows[UP].last_take = UINT32_MAX;
	relay_start(&bench.fixture.relay);
	bench.mute = mute;
	assert_int_equal(send(from, sent, BYTES, 0), BYTES);
	run_for_ms(MUTE_MS);
	/* On a busy machine it has not run for so long. */
	for (int i = 0; i < ROUNDS && bench.attempts < 5; i++)
		run_for_ms(10);
	assert_in_range(bench.attempts, 5, ATTEMPTS_MAX);
	bench.mute = -1;
	for (int i = 0; i < ROUNDS && len < BYTES; i++) {
		ssize_t n;

		run_for_ms(10);
		n = recv(to, got + len, BYTES - len, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(len, BYTES);
	assert_memory_equal(sent, got, BYTES);
	/* As if nothing had been. */
	assert_int_equal(send(from, sent, 1, 0), 1);
	len = 0;
	for (int i = 0; i < ROUNDS && len == 0; i++) {
		run_for_ms(5);
		len = recv(to, got, 1, MSG_DONTWAIT) == 1;
	}
	assert_int_equal(len, 1);
}

static void copied_to_the_client(void **state)
{
	(void)state;
	takes_nothing(TIER_MODE_COPY, bench.fixture.server, bench.fixture.client,
		      bench.fixture.relay.client.fd);
}

static void copied_to_the_server(void **state)
{
	(void)state;
	takes_nothing(TIER_MODE_COPY, bench.fixture.client, bench.fixture.server,
		      bench.fixture.relay.server.fd);
}

static void spliced(void **state)
{
	(void)state;
	takes_nothing(TIER_MODE_SPLICE, bench.fixture.client, bench.fixture.server,
		      bench.fixture.relay.server.fd);
	assert_string_equal(relay_tier(&bench.fixture.relay, &bench.fixture.relay.flows[UP]),
			    "splice");
}

/* A reset that comes in a pause is noticed, and nothing is freed under a timer. */
static void reset_in_a_pause(void **state)
{
	const struct linger at_once = {.l_onoff = 1};

	(void)state;
	relay_prepare(&bench.fixture.relay, &bench.fixture.config, 1);
	relay_start(&bench.fixture.relay);
	bench.mute = bench.fixture.relay.client.fd;
	assert_int_equal(send(bench.fixture.server, "x", 1, 0), 1);
	run_for_ms(60);
	setsockopt(bench.fixture.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(bench.fixture.client);
	bench.fixture.client = bench.mute = -1;
	for (int i = 0; i < ROUNDS && !bench.fixture.relay.client.dead; i++)
		run_for_ms(10);
	assert_true(bench.fixture.relay.client.dead);
}

#define PAUSE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAUSE_TEST(copied_to_the_client),
		PAUSE_TEST(copied_to_the_server),
		PAUSE_TEST(spliced),
		PAUSE_TEST(reset_in_a_pause),
	};

	kernel_probe();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
