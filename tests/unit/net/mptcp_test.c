/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this kernel tells MPTCP from a fallback. The linker puts __wrap_socket and
 * __wrap_getsockopt in place of the kernel's, which play one that does not. */
#include "net/mptcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#define SOL_MPTCP_OPTIONS 284 /* SOL_MPTCP */

static int socket_errno; /* 0: a TCP socket in place of any */
static int info_errno;	 /* 0: MPTCP_INFO is answered */

int __wrap_socket(int domain, int type, int protocol);
int __real_socket(int domain, int type, int protocol);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

int __wrap_socket(int domain, int type, int protocol)
{
	assert_int_equal(protocol, IPPROTO_MPTCP);
	errno = socket_errno;
	return socket_errno ? -1 : __real_socket(domain, type, IPPROTO_TCP);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (level != SOL_MPTCP_OPTIONS)
		return __real_getsockopt(fd, level, name, value, len);
	errno = info_errno;
	return info_errno ? -1 : 0;
}

static void it_tells(void **state)
{
	(void)state;
	socket_errno = info_errno = 0;
	assert_true(mptcp_tells_fallback());
}

static void before_5_16_it_does_not(void **state)
{
	(void)state;
	socket_errno = 0;
	info_errno = EOPNOTSUPP;
	assert_false(mptcp_tells_fallback());
}

static void without_a_socket_nobody_knows(void **state)
{
	(void)state;
	socket_errno = EMFILE;
	info_errno = 0;
	assert_false(mptcp_tells_fallback());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_tells),
		cmocka_unit_test(before_5_16_it_does_not),
		cmocka_unit_test(without_a_socket_nobody_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
