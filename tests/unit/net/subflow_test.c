/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subflows of real connections over loopback. The linker puts __wrap_getsockopt in place of
 * getsockopt, which plays an older kernel, and __wrap_ioctl in place of ioctl. */
#include "net/subflow.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

static int last_option;	 /* of SOL_MPTCP, that the kernel knows */
static uint32_t waiting; /* bytes that SO_MEMINFO tells of, if not 0 */
static int readable;	 /* bytes that SIOCINQ tells of */

int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len);

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	if (level == SOL_MPTCP && option > last_option) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (waiting > 0 && level == SOL_SOCKET && option == SO_MEMINFO) {
		((uint32_t *)value)[SK_MEMINFO_RMEM_ALLOC] = waiting;
		return 0;
	}
	return __real_getsockopt(fd, level, option, value, len);
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, int *value);

int __wrap_ioctl(int fd, unsigned long request, int *value)
{
	if (request != SIOCINQ)
		return __real_ioctl(fd, request, value);
	*value = readable;
	return 0;
}

struct pair {
	int listening;
	int near;
	int far;
	union address near_address;
	union address far_address;
};

/* False where the kernel has no such sockets. */
static bool pair_open(struct pair *pair, int protocol, int family)
{
	union address any = {.sa.sa_family = (sa_family_t)family};
	socklen_t len = sizeof(any);

	last_option = 100;
	pair->listening = socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	if (pair->listening < 0)
		return false;
	pair->near = socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	if (family == AF_INET6)
		any.in6.sin6_addr = in6addr_loopback;
	else
		any.in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(pair->listening, &any.sa, address_length(&any)), 0);
	assert_int_equal(listen(pair->listening, 1), 0);
	assert_int_equal(getsockname(pair->listening, &any.sa, &len), 0);
	assert_int_equal(connect(pair->near, &any.sa, len), 0);
	pair->far = accept(pair->listening, NULL, NULL);
	assert_true(pair->far >= 0);
	len = sizeof(any);
	assert_int_equal(getsockname(pair->near, &pair->near_address.sa, &len), 0);
	pair->far_address = any;
	return true;
}

static void pair_close(const struct pair *pair)
{
	close(pair->near);
	close(pair->far);
	close(pair->listening);
}

static void exchange(const struct pair *pair)
{
	char bytes[1000] = {0};

	assert_int_equal(send(pair->near, bytes, 1000, 0), 1000);
	assert_int_equal(recv(pair->far, bytes, 1000, MSG_WAITALL), 1000);
	assert_int_equal(send(pair->far, bytes, 300, 0), 300);
	assert_int_equal(recv(pair->near, bytes, 300, MSG_WAITALL), 300);
}

static void assert_subflow(const struct pair *pair, enum transport transport)
{
	struct subflow subflows[SUBFLOWS_MAX];

	assert_int_equal(subflow_list(pair->near, transport, subflows), 1);
	assert_true(address_same_ip(&subflows[0].local, &pair->near_address));
	assert_int_equal(address_port(&subflows[0].local), address_port(&pair->near_address));
	assert_true(address_same_ip(&subflows[0].remote, &pair->far_address));
	assert_int_equal(address_port(&subflows[0].remote), address_port(&pair->far_address));
	assert_string_equal(subflow_state_name(subflows[0].state), "established");
	assert_int_equal(subflows[0].bytes_sent, 1000);
	assert_int_equal(subflows[0].bytes_received, 300);
	assert_true(subflows[0].rtt_us > 0 && subflows[0].cwnd > 0);
	assert_int_equal(subflows[0].bytes_retransmitted, 0);
}

static void tcp(void **state)
{
	static const int families[] = {AF_INET, AF_INET6};
	struct pair pair = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_true(pair_open(&pair, 0, families[i]));
		exchange(&pair);
		assert_subflow(&pair, TRANSPORT_TCP);
		pair_close(&pair);
	}
}

static void mptcp_of_any_kernel(void **state)
{
	struct subflow subflows[SUBFLOWS_MAX];
	struct pair pair = {0};

	(void)state;
	if (!pair_open(&pair, IPPROTO_MPTCP, AF_INET))
		skip();
	exchange(&pair);
	/* MPTCP_FULL_INFO, then MPTCP_TCPINFO and MPTCP_SUBFLOW_ADDRS, then neither. */
	last_option = 4;
	assert_subflow(&pair, TRANSPORT_MPTCP);
	last_option = 3;
	assert_subflow(&pair, TRANSPORT_MPTCP);
	last_option = 1;
	assert_int_equal(subflow_list(pair.near, TRANSPORT_MPTCP, subflows), 0);
	pair_close(&pair);
}

enum { QUICK, SLOW, COUNT };

static void the_one_that_all_wait_for(void **state)
{
	struct subflow subflows[COUNT] = {
		[QUICK] = {.state = TCP_ESTABLISHED, .rtt_us = 20000, .last_data_sent_ms = 5000},
		[SLOW] = {.state = TCP_ESTABLISHED, .rtt_us = 100000, .last_data_sent_ms = 5000}};
	struct pair pair = {0};

	(void)state;
	assert_true(pair_open(&pair, 0, AF_INET));
	waiting = 1 << 20;
	subflows[QUICK].last_data_received_ms = 61;
	assert_ptr_equal(subflow_awaited(pair.near, subflows, COUNT), &subflows[SLOW]);
	/* It has not been idle for long enough; it is in no use. */
	subflows[QUICK].last_data_received_ms = 60;
	assert_null(subflow_awaited(pair.near, subflows, COUNT));
	subflows[QUICK].last_data_received_ms = 1000;
	assert_null(subflow_awaited(pair.near, subflows, COUNT));
	subflows[QUICK].last_data_received_ms = 61;
	/* Nothing waits; it is alone. */
	waiting = 1000;
	assert_null(subflow_awaited(pair.near, subflows, COUNT));
	waiting = 1 << 20;
	assert_null(subflow_awaited(pair.near, subflows, 1));
	assert_null(subflow_awaited(pair.near, subflows, 0));
	subflows[SLOW].state = TCP_CLOSE;
	assert_null(subflow_awaited(pair.near, subflows, COUNT));
	waiting = 0;
	pair_close(&pair);
}

/* The reader is what is late. */
static void who_can_read_waits_for_nobody(void **state)
{
	struct subflow subflows[COUNT] = {
		[QUICK] = {.state = TCP_ESTABLISHED, .rtt_us = 20000, .last_data_received_ms = 100},
		[SLOW] = {.state = TCP_ESTABLISHED, .rtt_us = 100000}};
	struct pair pair = {0};

	(void)state;
	assert_true(pair_open(&pair, 0, AF_INET));
	waiting = 300000;
	readable = 74999;
	assert_non_null(subflow_awaited(pair.near, subflows, COUNT));
	readable = 75000;
	assert_null(subflow_awaited(pair.near, subflows, COUNT));
	readable = 0;
	waiting = 0;
	pair_close(&pair);
}

static void a_sender_that_waits(void **state)
{
	static const char bytes[1 << 20];
	struct subflow subflows[COUNT] = {
		[QUICK] = {.state = TCP_ESTABLISHED, .rtt_us = 20000, .last_data_sent_ms = 100},
		[SLOW] = {.state = TCP_ESTABLISHED, .rtt_us = 100000, .unacked = 5}};
	struct pair pair = {0};

	(void)state;
	assert_true(pair_open(&pair, 0, AF_INET));
	assert_null(subflow_awaited(pair.near, subflows, COUNT));
	while (send(pair.near, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	assert_ptr_equal(subflow_awaited(pair.near, subflows, COUNT), &subflows[SLOW]);
	/* The reader is late: nothing is under way on either. */
	subflows[SLOW].unacked = 0;
	assert_null(subflow_awaited(pair.near, subflows, COUNT));
	pair_close(&pair);
}

static void nothing_to_tell(void **state)
{
	struct subflow subflows[SUBFLOWS_MAX];

	(void)state;
	assert_int_equal(subflow_list(-1, TRANSPORT_NONE, subflows), 0);
	assert_int_equal(subflow_list(-1, TRANSPORT_TCP, subflows), 0);
	assert_int_equal(subflow_list(-1, TRANSPORT_MPTCP, subflows), 0);
	assert_string_equal(subflow_state_name(200), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp),
		cmocka_unit_test(mptcp_of_any_kernel),
		cmocka_unit_test(the_one_that_all_wait_for),
		cmocka_unit_test(who_can_read_waits_for_nobody),
		cmocka_unit_test(a_sender_that_waits),
		cmocka_unit_test(nothing_to_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
