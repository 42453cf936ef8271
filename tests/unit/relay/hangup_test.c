/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What counts as a socket's death, as the end of its stream, and as more bytes, and what the kernel
 * is told of. The linker puts __wrap_epoll_ctl in place of its own. */
#include "relay/hangup.h"

#include <sys/epoll.h>

#include "../accel/sockmap_fixture.h"
#include "net/socket_reset.h"

static int told; /* times that the kernel was */

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	told++;
	return __real_epoll_ctl(epoll, operation, fd, event);
}

struct seen {
	int calls;
	bool dead;
};

struct bench {
	struct ev_loop *loop;
	struct hangup hangup;
	struct hangup_watch watch;
	struct seen seen;
	int near;
	int far;
};

static void note(void *owner, bool dead)
{
	struct seen *seen = owner;

	seen->calls++;
	seen->dead = dead;
}

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	bench->loop = ev_loop_new(EVBACKEND_EPOLL);
	assert_int_equal(hangup_init(&bench->hangup, bench->loop), 0);
	assert_true(fixture_connect(IPPROTO_TCP, &bench->near, &bench->far));
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	hangup_remove(&bench->hangup, &bench->watch);
	hangup_fini(&bench->hangup);
	ev_loop_destroy(bench->loop);
	close(bench->near);
	if (bench->far >= 0)
		close(bench->far);
	free(bench);
	return 0;
}

static void watch(struct bench *bench, enum hangup_events events)
{
	hangup_add(&bench->hangup, &bench->watch, bench->near, events, note, &bench->seen);
}

/* Gives loopback time to bring what is to be seen, up to so many calls. */
static void run_until(struct bench *bench, int calls, int rounds)
{
	for (int i = 0; i < rounds && bench->seen.calls < calls; i++) {
		fixture_sleep_us(1000);
		ev_run(bench->loop, EVRUN_NOWAIT);
	}
}

/* Nothing is to be seen. */
static void run(struct bench *bench)
{
	run_until(bench, 1, 50);
}

static void await_calls(struct bench *bench, int calls)
{
	run_until(bench, calls, FIXTURE_DEADLINE_MS);
}

static void reset_far(struct bench *bench)
{
	socket_reset(bench->far);
	bench->far = -1;
}

static void a_reset_is_death(void **state)
{
	struct bench *bench = *state;

	watch(bench, HANGUP_DEATH);
	reset_far(bench);
	await_calls(bench, 1);
	assert_int_equal(bench->seen.calls, 1);
	assert_true(bench->seen.dead);
}

/* EPOLLHUP without EPOLLERR: the last bytes may still be on their way to a slow reader. */
static void two_ended_streams_are_not(void **state)
{
	struct bench *bench = *state;

	shutdown(bench->near, SHUT_WR);
	shutdown(bench->far, SHUT_WR);
	assert_true(fixture_wait(bench->near, POLLHUP, FIXTURE_DEADLINE_MS));
	watch(bench, HANGUP_DEATH);
	run(bench);
	assert_int_equal(bench->seen.calls, 0);
}

static void the_end_is_told_to_those_who_ask(void **state)
{
	struct bench *bench = *state;

	watch(bench, HANGUP_DEATH);
	shutdown(bench->far, SHUT_WR);
	run(bench);
	assert_int_equal(bench->seen.calls, 0);
	watch(bench, HANGUP_DEATH_OR_END);
	await_calls(bench, 1);
	assert_int_equal(bench->seen.calls, 1);
	assert_false(bench->seen.dead);
}

/* What is left unread would be told for ever. */
static void more_bytes_are_told_once_each(void **state)
{
	struct bench *bench = *state;

	watch(bench, HANGUP_MORE);
	for (int sent = 1; sent <= 3; sent++) {
		assert_int_equal(send(bench->far, "x", 1, 0), 1);
		await_calls(bench, sent);
		run_until(bench, sent + 1, 50);
		assert_int_equal(bench->seen.calls, sent);
	}
}

/* Dials and half-closes of short sessions. */
static void what_is_soon_over_the_kernel_is_not_told_of(void **state)
{
	struct bench *bench = *state;
	struct hangup_watch others[3] = {0};
	const size_t orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}};

	told = 0;
	for (size_t i = 0; i < 3; i++) {
		for (size_t n = 0; n < 3; n++)
			hangup_add(&bench->hangup, &others[n], bench->near, HANGUP_DEATH, note,
				   &bench->seen);
		for (size_t n = 0; n < 3; n++)
			hangup_remove(&bench->hangup, &others[orders[i][n]]);
	}
	reset_far(bench);
	run(bench);
	assert_int_equal(told, 0);
	assert_int_equal(bench->seen.calls, 0);
}

static void what_lasts_it_is_told_of_once(void **state)
{
	struct bench *bench = *state;

	told = 0;
	watch(bench, HANGUP_DEATH);
	run(bench);
	watch(bench, HANGUP_DEATH);
	run(bench);
	assert_int_equal(told, 1);
	hangup_remove(&bench->hangup, &bench->watch);
	assert_int_equal(told, 2);
}

#define HANGUP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HANGUP_TEST(a_reset_is_death),
		HANGUP_TEST(two_ended_streams_are_not),
		HANGUP_TEST(the_end_is_told_to_those_who_ask),
		HANGUP_TEST(more_bytes_are_told_once_each),
		HANGUP_TEST(what_is_soon_over_the_kernel_is_not_told_of),
		HANGUP_TEST(what_lasts_it_is_told_of_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
