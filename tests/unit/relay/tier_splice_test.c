/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which takes the tier "splice" leaves to a copy. The linker puts __wrap_splice in place of the
 * kernel's. */
#include "relay/flow.h"

#include "../accel/sockmap_fixture.h"
#include "config/config.h"
#include "net/kernel.h"

#define LARGE_BYTES  (64U << 10)
#define BUFFER_BYTES (4 << 20)

ssize_t __real_splice(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned int flags);
ssize_t __wrap_splice(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned int flags);

static unsigned int splices;

ssize_t __wrap_splice(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned int flags)
{
	splices++;
	return __real_splice(in, in_at, out, out_at, len, flags);
}

static struct {
	struct io_buffers buffers;
	struct flow flow;
	int from; /* far ends */
	int to;
	uint64_t moved;
} bench;

static void get_room(int fd)
{
	const int size = BUFFER_BYTES;
	const int on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static int set_up(void **state)
{
	int source = -1;
	int target = -1;

	(void)state;
	memset(&bench, 0, sizeof(bench));
	splices = 0;
	assert_int_equal(io_buffers_init(&bench.buffers), 0);
	assert_true(fixture_connect(IPPROTO_TCP, &source, &bench.from));
	assert_true(fixture_connect(IPPROTO_TCP, &target, &bench.to));
	get_room(source);
	get_room(target);
	flow_init(&bench.flow, source, TRANSPORT_TCP, target, TRANSPORT_TCP, TIER_MODE_SPLICE);
	assert_ptr_equal(bench.flow.tier, &tier_splice);
	bench.flow.allowance = SIZE_MAX;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	flow_drop(&bench.flow, &bench.buffers);
	io_buffers_fini(&bench.buffers);
	close(bench.flow.source);
	close(bench.flow.target);
	close(bench.from);
	close(bench.to);
	return 0;
}

static void await_bytes(int fd, int len)
{
	int there = 0;

	for (int i = 0; i < FIXTURE_DEADLINE_MS && there < len; i++) {
		assert_int_equal(ioctl(fd, FIONREAD, &there), 0);
		if (there < len)
			fixture_sleep_us(1000);
	}
	assert_int_equal(there, len);
}

/* So many bytes in one piece; returns how often splice(2) was called for them. */
static unsigned int move(size_t len)
{
	static uint8_t bytes[LARGE_BYTES];
	const unsigned int before = splices;

	fixture_fill(bytes, len, bench.moved, 1);
	assert_int_equal(send(bench.from, bytes, len, 0), len);
	await_bytes(bench.flow.source, (int)len);
	assert_int_equal(flow_pump(&bench.flow, &bench.buffers, &tune_default), FLOW_WAIT);
	assert_int_equal(bench.flow.held.len, 0);
	assert_int_equal(recv(bench.to, bytes, len, MSG_WAITALL), len);
	assert_true(fixture_check(bytes, len, bench.moved, 1));
	bench.moved += len;
	assert_int_equal(bench.flow.bytes, bench.moved);
	return splices - before;
}

static void small_takes_are_copied(void **state)
{
	static const size_t lengths[] = {1, 64, 1448, 4096, 8192};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		assert_int_equal(move(lengths[i]), 0);
	assert_int_equal(bench.buffers.pipe_count, 0);
}

static void what_follows_a_large_one_is_spliced(void **state)
{
	(void)state;
	assert_int_equal(move(64), 0);
	(void)move(LARGE_BYTES);
	assert_true(move(LARGE_BYTES) >= 2);
	assert_true(move(64) >= 2);
	assert_int_equal(move(64), 0);
}

static void the_end_is_found_without_a_pipe(void **state)
{
	(void)state;
	assert_int_equal(move(64), 0);
	assert_int_equal(shutdown(bench.from, SHUT_WR), 0);
	assert_true(fixture_wait(bench.flow.source, POLLRDHUP, FIXTURE_DEADLINE_MS));
	assert_int_equal(flow_pump(&bench.flow, &bench.buffers, &tune_default), FLOW_ENDED);
	assert_int_equal(splices, 0);
}

#define SPLICE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPLICE_TEST(small_takes_are_copied),
		SPLICE_TEST(what_follows_a_large_one_is_spliced),
		SPLICE_TEST(the_end_is_found_without_a_pipe),
	};

	kernel_probe();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
