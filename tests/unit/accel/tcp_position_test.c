/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What waits in a socket when the packets of its connection are about to be forwarded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "accel/tcp_position.h"
#include "net/loopback.h"

static struct loopback connection = {-1, -1};

static int begin(void **state)
{
	(void)state;
	return loopback_open(&connection, IPPROTO_TCP, IPPROTO_TCP, 0);
}

static int end(void **state)
{
	(void)state;
	loopback_close(&connection);
	return 0;
}

static void what_is_unread_is_not_clear(void **state)
{
	char byte;

	(void)state;
	assert_true(tcp_position_is_clear(connection.near));
	assert_int_equal(send(connection.far, "a", 1, 0), 1);
	assert_true(loopback_wait(connection.near, POLLIN));
	assert_false(tcp_position_is_clear(connection.near));
	assert_int_equal(recv(connection.near, &byte, 1, 0), 1);
	assert_true(tcp_position_is_clear(connection.near));
}

static void nor_is_an_unread_end(void **state)
{
	(void)state;
	assert_int_equal(shutdown(connection.far, SHUT_WR), 0);
	assert_true(loopback_wait(connection.near, POLLIN));
	assert_false(tcp_position_is_clear(connection.near));
}

static void nor_is_an_end_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(shutdown(connection.near, SHUT_WR), 0);
	assert_false(tcp_position_is_clear(connection.near));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_unread_is_not_clear, begin, end),
		cmocka_unit_test_setup_teardown(nor_is_an_unread_end, begin, end),
		cmocka_unit_test_setup_teardown(nor_is_an_end_of_its_own, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
