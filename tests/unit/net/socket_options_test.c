/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sockets get from the one that listens, and that nothing is missing once the rest is set. */
#include "net/socket_options.h"

#include "../accel/sockmap_fixture.h"
#include "net/socket.h"

static const struct socket_options wanted = {
	.unsent_bytes = 300000, .keepalive_idle_s = 77, .keepalive_interval_s = 11};

struct ends {
	int listener;
	int far;
	int near;
};

static bool meet(struct ends *ends, int protocol)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ends->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	if (ends->listener < 0)
		return false;
	assert_int_equal(bind(ends->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(ends->listener, 1), 0);
	socket_bound(ends->listener, 1U << 20, wanted.unsent_bytes);
	socket_options_set(ends->listener, &wanted, SOCKET_OPTIONS_ALL);
	assert_int_equal(getsockname(ends->listener, (struct sockaddr *)&address, &len), 0);
	ends->far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	assert_int_equal(connect(ends->far, (struct sockaddr *)&address, len), 0);
	ends->near = accept4(ends->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(ends->near >= 0);
	return true;
}

static void part(const struct ends *ends)
{
	close(ends->listener);
	close(ends->far);
	close(ends->near);
}

static void a_listener_of_tcp_hands_on_all(void **state)
{
	struct ends ends = {-1, -1, -1};

	(void)state;
	assert_true(meet(&ends, IPPROTO_TCP));
	assert_int_equal(socket_options_missing(ends.near, &wanted), 0);
	part(&ends);
}

/* How much one of MPTCP hands on differs between kernels. */
static void what_is_missing_can_be_set(void **state)
{
	struct ends ends = {-1, -1, -1};

	(void)state;
	if (!meet(&ends, IPPROTO_MPTCP))
		skip();
	socket_options_set(ends.near, &wanted, socket_options_missing(ends.near, &wanted));
	assert_int_equal(socket_options_missing(ends.near, &wanted), 0);
	part(&ends);
}

static void each_is_told_by_its_own_bit(void **state)
{
	struct ends ends = {-1, -1, -1};

	(void)state;
	assert_true(meet(&ends, IPPROTO_TCP));
	assert_int_equal(socket_options_missing(ends.far, &wanted), SOCKET_OPTIONS_ALL);
	socket_options_set(ends.far, &wanted, SOCKET_OPTIONS_BOUND);
	assert_int_equal(socket_options_missing(ends.far, &wanted),
			 SOCKET_OPTIONS_ALL & ~SOCKET_OPTIONS_BOUND);
	for (unsigned int bit = 1; bit < SOCKET_OPTIONS_ALL; bit <<= 1)
		socket_options_set(ends.far, &wanted, bit);
	assert_int_equal(socket_options_missing(ends.far, &wanted), 0);
	part(&ends);
}

/* What is dialled gets the first options from there. */
static void socket_bound_sets_what_it_says(void **state)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	(void)state;
	assert_true(fd >= 0);
	socket_bound(fd, 1U << 20, wanted.unsent_bytes);
	assert_int_equal(socket_options_missing(fd, &wanted),
			 SOCKET_OPTIONS_ALL & ~SOCKET_OPTIONS_BOUND);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_of_tcp_hands_on_all),
		cmocka_unit_test(what_is_missing_can_be_set),
		cmocka_unit_test(each_is_told_by_its_own_bit),
		cmocka_unit_test(socket_bound_sets_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
