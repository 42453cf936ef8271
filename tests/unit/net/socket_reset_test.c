/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the peer sees of a reset, on this kernel and on one on which SO_LINGER resets nothing, and
 * whether the probe tells the difference. The linker puts __wrap_setsockopt and __wrap_connect in
 * place of the kernel's. */
#include "net/socket_reset.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/loopback.h"
#include "net/reset_probe.h"

#define UNREAD_BYTES 20000

static bool lingers;	 /* SO_LINGER resets */
static bool disconnects; /* connect() to AF_UNSPEC resets */

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
int __real_connect(int fd, const struct sockaddr *address, socklen_t len);

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (level == SOL_SOCKET && name == SO_LINGER && !lingers)
		return 0;
	return __real_setsockopt(fd, level, name, value, len);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	if (address->sa_family == AF_UNSPEC && !disconnects) {
		errno = EBUSY;
		return -1;
	}
	return __real_connect(fd, address, len);
}

static bool has(int protocol)
{
	const int fd = socket(AF_INET, SOCK_STREAM, protocol);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

enum traffic { IDLE, UNREAD, UNSENT, TRAFFIC_COUNT };

static void fill(int fd, size_t most)
{
	static const char bytes[UNREAD_BYTES];

	for (size_t sent = 0; sent < most;) {
		const ssize_t n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n <= 0)
			return;
		sent += (size_t)n;
	}
}

static void check(int protocol, bool accepted, enum traffic traffic)
{
	char bytes[4096];
	struct loopback pair;
	ssize_t n;
	int *end = accepted ? &pair.near : &pair.far;
	int other;

	assert_int_equal(loopback_open(&pair, protocol, protocol, 0), 0);
	other = accepted ? pair.far : pair.near;
	if (traffic == UNREAD)
		fill(other, UNREAD_BYTES);
	else if (traffic == UNSENT)
		fill(*end, SIZE_MAX);
	socket_reset(*end);
	*end = -1;
	do {
		assert_true(loopback_wait(other, POLLIN));
		n = recv(other, bytes, sizeof(bytes), MSG_DONTWAIT);
	} while (n > 0);
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	loopback_close(&pair);
}

static void check_all(int protocol)
{
	if (!has(protocol))
		skip();
	for (int accepted = 0; accepted <= 1; accepted++)
		for (enum traffic traffic = IDLE; traffic < TRAFFIC_COUNT; traffic++)
			check(protocol, accepted, traffic);
}

static void without_so_linger(void **state)
{
	(void)state;
	lingers = false;
	disconnects = true;
	check_all(IPPROTO_TCP);
}

static void without_so_linger_by_mptcp(void **state)
{
	(void)state;
	lingers = false;
	disconnects = true;
	check_all(IPPROTO_MPTCP);
}

static void that_cannot_be_disconnected(void **state)
{
	(void)state;
	lingers = true;
	disconnects = false;
	check_all(IPPROTO_TCP);
}

static void that_was_never_connected(void **state)
{
	const int protocols[] = {IPPROTO_TCP, IPPROTO_MPTCP};

	(void)state;
	lingers = disconnects = true;
	for (size_t i = 0; i < 2; i++) {
		const int fd = socket(AF_INET, SOCK_STREAM, has(protocols[i]) ? protocols[i] : 0);

		socket_reset(fd);
		assert_int_equal(close(fd), -1);
	}
}

static void the_probe_tells(void **state)
{
	char reason[96] = "";

	(void)state;
	if (!has(IPPROTO_MPTCP))
		skip();
	lingers = disconnects = true;
	assert_true(reset_probe_mptcp(reason, sizeof(reason)));
	lingers = disconnects = false;
	assert_false(reset_probe_mptcp(reason, sizeof(reason)));
	assert_string_equal(reason, "a peer takes a reset for an orderly end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_so_linger),
		cmocka_unit_test(without_so_linger_by_mptcp),
		cmocka_unit_test(that_cannot_be_disconnected),
		cmocka_unit_test(that_was_never_connected),
		cmocka_unit_test(the_probe_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
