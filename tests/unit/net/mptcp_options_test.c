/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which options are refused, and what is done without them. The linker puts __wrap_setsockopt and
 * __wrap_socket in place of the kernel's. */
#include "net/mptcp_options.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/kernel.h"
#include "net/socket.h"

#define RECEIVE_BYTES (1U << 20)
#define UNSENT_BYTES  (1U << 17)

static int refused_level;
static int refused_option; /* 0: none */
static int refused_errno;
static bool without_mptcp;

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_socket(int domain, int type, int protocol);
int __real_socket(int domain, int type, int protocol);

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (refused_option && level == refused_level && name == refused_option) {
		errno = refused_errno;
		return -1;
	}
	return __real_setsockopt(fd, level, name, value, len);
}

/* TCP takes them all, on every kernel. */
int __wrap_socket(int domain, int type, int protocol)
{
	if (protocol == IPPROTO_MPTCP && without_mptcp) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	return __real_socket(domain, type, IPPROTO_TCP);
}

static void refuse(int level, int option, int error)
{
	refused_level = level;
	refused_option = option;
	refused_errno = error;
	without_mptcp = false;
}

static void all_are_taken(void **state)
{
	const struct mptcp_option *refused[MPTCP_OPTIONS_MAX];

	(void)state;
	refuse(0, 0, 0);
	assert_int_equal(mptcp_options_try(refused), 0);
}

static void each_is_tried(void **state)
{
	static const struct {
		int level;
		int option;
		const char *name;
	} cases[] = {
		{IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY"},
		{IPPROTO_TCP, TCP_NOTSENT_LOWAT, "TCP_NOTSENT_LOWAT"},
		{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT"},
		{IPPROTO_TCP, TCP_KEEPIDLE, "TCP_KEEPIDLE"},
		{IPPROTO_TCP, TCP_FASTOPEN, "TCP_FASTOPEN"},
		{IPPROTO_TCP, TCP_CONGESTION, "TCP_CONGESTION"},
		{IPPROTO_IP, IP_TRANSPARENT, "IP_TRANSPARENT"},
		{IPPROTO_IP, IP_FREEBIND, "IP_FREEBIND"},
	};
	static const int errors[] = {EOPNOTSUPP, ENOPROTOOPT};
	const struct mptcp_option *refused[MPTCP_OPTIONS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
			refuse(cases[i].level, cases[i].option, errors[e]);
			assert_int_equal(mptcp_options_try(refused), 1);
			assert_string_equal(refused[0]->name, cases[i].name);
			assert_true(strlen(refused[0]->without) > 0);
		}
}

/* It is about rights then, not about the kernel. */
static void what_is_not_permitted_is_not_refused(void **state)
{
	const struct mptcp_option *refused[MPTCP_OPTIONS_MAX];

	(void)state;
	refuse(IPPROTO_IP, IP_TRANSPARENT, EPERM);
	assert_int_equal(mptcp_options_try(refused), 0);
}

static void without_mptcp_there_is_nothing_to_refuse(void **state)
{
	const struct mptcp_option *refused[MPTCP_OPTIONS_MAX];

	(void)state;
	refuse(IPPROTO_TCP, TCP_NODELAY, EOPNOTSUPP);
	without_mptcp = true;
	assert_int_equal(mptcp_options_try(refused), 0);
}

static int send_buffer(int refused)
{
	socklen_t len = sizeof(int);
	int size = 0;
	int fd;

	refuse(IPPROTO_TCP, refused, EOPNOTSUPP);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	assert_true(fd >= 0);
	socket_bound(fd, RECEIVE_BYTES, UNSENT_BYTES);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len), 0);
	close(fd);
	return size;
}

/* Otherwise it is left to autotuning. */
static void a_send_buffer_is_bounded_where_unsent_bytes_are_not(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(send_buffer(TCP_NOTSENT_LOWAT), RECEIVE_BYTES / 2);
	assert_int_not_equal(send_buffer(0), RECEIVE_BYTES / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_taken),
		cmocka_unit_test(each_is_tried),
		cmocka_unit_test(what_is_not_permitted_is_not_refused),
		cmocka_unit_test(without_mptcp_there_is_nothing_to_refuse),
		cmocka_unit_test(a_send_buffer_is_bounded_where_unsent_bytes_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
