/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a dial asks the memory of destinations without MPTCP, and what it tells it. The linker puts
 * __wrap_NAME in place of the functions of mptcp.h and mptcp_blackhole.h, which play a kernel and a
 * peer; the connections are real, to a listener on loopback. */
#include "upstream/dial.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop_clock.h"
#include "links/link_choice.h"
#include "net/mptcp_blackhole.h"
#include "net/socket.h"
#include "upstream/auto_bypass.h"
#include "upstream/tcp_only.h"

static struct ev_loop *loop;
static struct tcp_only *memory;
static struct config config;
static struct listen_config own_listener;
static struct destination to;
static int listening;

static bool wanted_mptcp;	      /* by the last attempt */
static enum transport peer_transport; /* of what wanted MPTCP */
static bool kernel_tells;
static bool kernel_pauses;
static int own; /* what route_is_own() says */

static bool plain; /* of the next dials */
static bool transparent;
static struct auto_bypass auto_bypass;
static struct link_picker links; /* none */

static int dials_ended;
static enum cause dial_cause;
static enum transport dial_transport;

int __wrap_mptcp_socket(int family, bool want_mptcp);
enum transport __wrap_mptcp_transport(int fd);
bool __wrap_mptcp_tells_fallback(void);
bool __wrap_mptcp_blackhole_likely(struct mptcp_blackhole *pause, double now_s);
int __wrap_route_is_own(struct netlink *netlink, const union address *address);

int __wrap_route_is_own(struct netlink *netlink, const union address *address)
{
	(void)netlink;
	(void)address;
	return own;
}

int __wrap_mptcp_socket(int family, bool want_mptcp)
{
	wanted_mptcp = want_mptcp;
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

enum transport __wrap_mptcp_transport(int fd)
{
	(void)fd;
	return wanted_mptcp ? peer_transport : TRANSPORT_TCP;
}

bool __wrap_mptcp_tells_fallback(void)
{
	return kernel_tells;
}

bool __wrap_mptcp_blackhole_likely(struct mptcp_blackhole *pause, double now_s)
{
	(void)pause;
	(void)now_s;
	return kernel_pauses;
}

static int setup(void **state)
{
	socklen_t len = sizeof(to.address.in4);

	(void)state;
	loop = ev_loop_new(0);
	memory = tcp_only_open();
	memset(&to, 0, sizeof(to));
	config = (struct config){.tcp_only = {.expiry_s = 100, .retry = 3}};
	peer_transport = TRANSPORT_FALLBACK;
	plain = transparent = false;
	auto_bypass.count = 0;
	kernel_tells = true;
	kernel_pauses = false;
	own = 0;
	listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	to.address.in4 = (struct sockaddr_in){.sin_family = AF_INET,
					      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (!loop || !memory || link_picker_init(&links, 0) ||
	    bind(listening, &to.address.sa, len) || listen(listening, 100) ||
	    getsockname(listening, &to.address.sa, &len))
		return -1;
	to.port = address_port(&to.address);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(listening);
	tcp_only_close(memory);
	link_picker_fini(&links);
	ev_loop_destroy(loop);
	return 0;
}

static void on_dial(void *context, enum dial_event event, const struct dial_result *result)
{
	(void)context;
	if (event == DIAL_CONNECTING)
		return;
	dials_ended++;
	dial_cause = result->cause;
	dial_transport = result->transport;
	if (result->fd >= 0)
		close(result->fd);
	ev_break(loop, EVBREAK_ALL);
}

static enum cause dial(void)
{
	const int before = dials_ended;
	const struct dial_request request = {
		.env = {.loop = loop, .links = &links, .config = &config},
		.tcp_only = memory,
		.destination = &to,
		.client = &to.address,
		.plain = plain,
		.transparent = transparent,
		.auto_bypass = &auto_bypass};

	assert_non_null(dial_start(&request, on_dial, NULL));
	ev_run(loop, 0);
	assert_int_equal(dials_ended, before + 1);
	return dial_cause;
}

static void assert_dial(bool as_mptcp, enum transport became)
{
	assert_int_equal(dial(), CAUSE_NONE);
	assert_int_equal(wanted_mptcp, as_mptcp);
	assert_int_equal(dial_transport, became);
}

static struct tcp_only_counts counts(void)
{
	return tcp_only_count(memory, &config.tcp_only, loop_clock_s(loop));
}

static void auto_dials_tcp_after_a_fallback(void **state)
{
	(void)state;
	assert_dial(true, TRANSPORT_FALLBACK);
	assert_int_equal(counts().remembered, 1);
	assert_dial(false, TRANSPORT_TCP);
	assert_dial(false, TRANSPORT_TCP);
	/* The third is a retry, in vain. */
	assert_dial(true, TRANSPORT_FALLBACK);
	assert_dial(false, TRANSPORT_TCP);
	assert_int_equal(counts().remembered, 1);
	assert_int_equal(counts().tcp_dials, 3);
	assert_int_equal(counts().retries, 1);
}

static void auto_notices_who_learnt_mptcp(void **state)
{
	(void)state;
	assert_dial(true, TRANSPORT_FALLBACK);
	peer_transport = TRANSPORT_MPTCP;
	assert_dial(false, TRANSPORT_TCP);
	assert_dial(false, TRANSPORT_TCP);
	for (int i = 0; i < 5; i++)
		assert_dial(true, TRANSPORT_MPTCP);
	assert_int_equal(counts().remembered, 0);
	assert_int_equal(counts().learnt, 1);
}

/* What waits in the listener's queue. */
static int accepted(void)
{
	int count = 0;
	int fd;

	while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		close(fd);
		count++;
	}
	return count;
}

static void a_known_service_is_dialled_anew_after_a_fallback(void **state)
{
	(void)state;
	assert_int_equal(fcntl(listening, F_SETFL, O_NONBLOCK), 0);
	config.relay.tune.redial_below_port = to.port + 1U;
	assert_dial(false, TRANSPORT_TCP);
	assert_int_equal(accepted(), 2);
	assert_int_equal(counts().remembered, 1);
	/* Known now. */
	assert_dial(false, TRANSPORT_TCP);
	assert_int_equal(accepted(), 1);
}

static void others_keep_the_connection_that_fell_back(void **state)
{
	(void)state;
	assert_int_equal(fcntl(listening, F_SETFL, O_NONBLOCK), 0);
	config.relay.tune.redial_below_port = to.port;
	assert_dial(true, TRANSPORT_FALLBACK);
	assert_int_equal(accepted(), 1);
}

static void what_may_be_this_kernels_doing_is_kept(void **state)
{
	(void)state;
	config.relay.tune.redial_below_port = to.port + 1U;
	kernel_tells = false;
	assert_dial(true, TRANSPORT_FALLBACK);
	kernel_tells = kernel_pauses = true;
	assert_dial(true, TRANSPORT_FALLBACK);
}

static void a_kernel_without_mptcp_blames_nobody(void **state)
{
	(void)state;
	peer_transport = TRANSPORT_TCP;
	assert_dial(true, TRANSPORT_TCP);
	assert_dial(true, TRANSPORT_TCP);
	assert_int_equal(counts().remembered, 0);
}

static void a_kernel_that_cannot_tell_blames_nobody(void **state)
{
	(void)state;
	kernel_tells = false;
	assert_dial(true, TRANSPORT_FALLBACK);
	assert_dial(true, TRANSPORT_FALLBACK);
	assert_int_equal(counts().remembered, 0);
}

static void a_kernel_that_pauses_blames_nobody(void **state)
{
	(void)state;
	kernel_pauses = true;
	assert_dial(true, TRANSPORT_FALLBACK);
	assert_dial(true, TRANSPORT_FALLBACK);
	assert_int_equal(counts().remembered, 0);
	kernel_pauses = false;
	assert_dial(true, TRANSPORT_FALLBACK);
	assert_dial(false, TRANSPORT_TCP);
}

/* on and off leave the memory as it is, and are not told by it what to do. */
static void auto_dials_this_host_by_tcp(void **state)
{
	(void)state;
	own = 1;
	for (int i = 0; i < 5; i++)
		assert_dial(false, TRANSPORT_TCP);
	assert_int_equal(counts().remembered + counts().tcp_dials, 0);
	/* What is asked for in words is done. */
	config.mptcp = MPTCP_MODE_ON;
	peer_transport = TRANSPORT_MPTCP;
	assert_dial(true, TRANSPORT_MPTCP);
}

static void on_and_off_do_without(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		if (known)
			tcp_only_note(memory, &to.address, TRANSPORT_FALLBACK, loop_clock_s(loop));
		for (int i = 0; i < 5; i++) {
			config.mptcp = MPTCP_MODE_OFF;
			assert_dial(false, TRANSPORT_TCP);
			config.mptcp = MPTCP_MODE_ON;
			peer_transport = TRANSPORT_FALLBACK;
			assert_int_equal(dial(), CAUSE_NOT_MPTCP);
			assert_true(wanted_mptcp);
			peer_transport = TRANSPORT_MPTCP;
			assert_dial(true, TRANSPORT_MPTCP);
		}
		assert_int_equal(counts().remembered, known);
		assert_int_equal(counts().tcp_dials + counts().retries + counts().learnt, 0);
	}
}

static void what_was_no_connection_tells_nothing(void **state)
{
	(void)state;
	close(listening);
	assert_int_equal(dial(), CAUSE_REFUSED);
	assert_int_equal(counts().remembered, 0);
	/* One that is known keeps being known. */
	tcp_only_note(memory, &to.address, TRANSPORT_FALLBACK, loop_clock_s(loop));
	assert_int_equal(dial(), CAUSE_REFUSED);
	assert_false(wanted_mptcp);
	assert_int_equal(counts().remembered, 1);
	listening = -1;
}

static void our_own_listener_is_no_destination(void **state)
{
	(void)state;
	own = 1;
	own_listener.address = to.address;
	config.listen = &own_listener;
	config.listen_count = 1;
	assert_int_equal(dial(), CAUSE_NOT_ALLOWED);
	assert_int_equal(counts().remembered, 0);
}

static void what_is_bypassed_by_name_is_plain(void **state)
{
	(void)state;
	plain = true;
	for (int mode = MPTCP_MODE_AUTO; mode <= MPTCP_MODE_OFF; mode++) {
		config.mptcp = (enum mptcp_mode)mode;
		assert_dial(false, TRANSPORT_TCP);
	}
	assert_int_equal(counts().remembered, 0);
}

static void auto_bypass_is_told_what_has_no_mptcp(void **state)
{
	(void)state;
	transparent = true;
	assert_dial(true, TRANSPORT_FALLBACK);
	assert_int_equal(auto_bypass.count, 0);
	config.intercept.auto_bypass = true;
	assert_dial(false, TRANSPORT_TCP);
	assert_dial(false, TRANSPORT_TCP);
	assert_int_equal(auto_bypass.count, 0);
	/* The third in a row tries (retry). */
	assert_dial(true, TRANSPORT_FALLBACK);
	assert_int_equal(auto_bypass.count, 1);
	assert_true(address_same_ip(&auto_bypass.list[0].to, &to.address));
	assert_int_equal(address_port(&auto_bypass.list[0].to), to.port);
	assert_false(auto_bypass.list[0].learnt_mptcp);
	peer_transport = TRANSPORT_MPTCP;
	tcp_only_note(memory, &to.address, TRANSPORT_FALLBACK, loop_clock_s(loop) - 3);
	assert_dial(true, TRANSPORT_MPTCP);
	assert_int_equal(auto_bypass.count, 2);
	assert_true(auto_bypass.list[1].learnt_mptcp);
	assert_dial(true, TRANSPORT_MPTCP);
	assert_int_equal(auto_bypass.count, 2);
	for (int i = 0; i < 2 * AUTO_BYPASS_ENTRIES_MAX; i++)
		auto_bypass_note(&auto_bypass, &to.address, false);
	assert_int_equal(auto_bypass.count, AUTO_BYPASS_ENTRIES_MAX);
}

/* The address is nobody's here, so that only IP_TRANSPARENT lets the socket have it. */
static void a_foreign_source_is_bound(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	union address source;
	union address local;

	(void)state;
	assert_int_equal(address_parse("192.0.2.7:4321", &source), 0);
	if (geteuid() != 0) {
		assert_int_equal(socket_bind_foreign(fd, &source), -EPERM);
	} else {
		assert_int_equal(socket_bind_foreign(fd, &source), 0);
		socket_local_address(fd, &local);
		assert_true(address_same_ip(&local, &source));
		assert_int_equal(address_port(&local), 0);
	}
	close(fd);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(auto_dials_tcp_after_a_fallback),
		TEST(auto_notices_who_learnt_mptcp),
		TEST(a_known_service_is_dialled_anew_after_a_fallback),
		TEST(others_keep_the_connection_that_fell_back),
		TEST(what_may_be_this_kernels_doing_is_kept),
		TEST(a_kernel_without_mptcp_blames_nobody),
		TEST(a_kernel_that_cannot_tell_blames_nobody),
		TEST(a_kernel_that_pauses_blames_nobody),
		TEST(auto_dials_this_host_by_tcp),
		TEST(on_and_off_do_without),
		TEST(what_was_no_connection_tells_nothing),
		TEST(our_own_listener_is_no_destination),
		TEST(what_is_bypassed_by_name_is_plain),
		TEST(auto_bypass_is_told_what_has_no_mptcp),
		TEST(a_foreign_source_is_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
