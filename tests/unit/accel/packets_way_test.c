/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the way to a peer is looked up, and what follows from it; routes and sockets are played. */
#include "accel/packets_way.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#define NOW_S	1000.
#define OLD	3
#define NEW	4
#define UP_ADDR 0x0100000aU

static int device;
static int attend_err;
static int attended;
static unsigned int questions;
static uint32_t segments[DIRECTIONS]; /* of sockets 0 and 1 */
static struct packets_end ends[DIRECTIONS];
static struct hawser_packets_pair shared;

int __wrap_packets_device_to(struct packets_worker *worker, const union address *own,
			     const union address *peer, uint32_t mark, bool foreign);
int __wrap_packets_device_to(struct packets_worker *worker, const union address *own,
			     const union address *peer, uint32_t mark, bool foreign)
{
	(void)worker;
	(void)own;
	(void)foreign;
	questions++;
	/* Only of the client there is news. */
	assert_int_equal(mark, peer->in4.sin_addr.s_addr == UP_ADDR ? 7 : 0);
	return peer->in4.sin_addr.s_addr == UP_ADDR ? device : OLD;
}

int __wrap_packets_attend(struct packets_worker *worker, int to);
int __wrap_packets_attend(struct packets_worker *worker, int to)
{
	(void)worker;
	attended = to;
	return attend_err;
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	const struct tcp_info info = {.tcpi_segs_in = segments[fd]};

	(void)level;
	assert_int_equal(option, TCP_INFO);
	memcpy(value, &info, *len);
	return 0;
}

static void silent_for(enum direction d, double seconds)
{
	shared.legs[d].last_ns = (uint64_t)((NOW_S - seconds) * 1e9);
}

static int setup(void **state)
{
	(void)state;
	memset(ends, 0, sizeof(ends));
	memset(&shared, 0, sizeof(shared));
	device = NEW;
	attend_err = 0;
	attended = 0;
	questions = 0;
	ends[UP].peer.in4.sin_addr.s_addr = UP_ADDR;
	shared.legs[UP].mark = 7;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		segments[d] = 100;
		ends[d].fd = (int)d;
		packets_way_rest(&ends[d]);
		shared.legs[d].ifindex = OLD;
		shared.legs[d].seen = 1;
		shared.legs[d].hop.until_ns = 5;
		silent_for(d, 0);
	}
	return 0;
}

static const char *look(void)
{
	return packets_way_look(NULL, ends, &shared, NOW_S);
}

static void assert_followed(void)
{
	assert_null(look());
	assert_int_equal(attended, NEW);
	assert_int_equal(shared.legs[UP].ifindex, NEW);
	assert_int_equal(shared.legs[UP].seen, 0);
	assert_int_equal(shared.legs[UP].hop.until_ns, 0);
	assert_int_equal(shared.legs[DOWN].ifindex, OLD);
	/* Once. */
	questions = 0;
	silent_for(UP, 0);
	assert_null(look());
	assert_int_equal(questions, 0);
}

static void who_speaks_is_not_looked_for(void **state)
{
	(void)state;
	shared.legs[DOWN].end = 100;
	segments[UP]++;
	assert_null(look());
	/* Nor who is idle, and owes nothing. */
	shared.legs[DOWN].acked = 0x300000064;
	segments[UP]--;
	silent_for(UP, 100);
	silent_for(DOWN, 100);
	assert_null(look());
	assert_int_equal(questions, 0);
}

static void who_owes_an_acknowledgement(void **state)
{
	(void)state;
	shared.legs[DOWN].end = 100;
	silent_for(UP, 1.5);
	assert_followed();
}

static void whose_packets_come_by_another_device(void **state)
{
	(void)state;
	shared.legs[UP].astray = 3;
	assert_followed();
}

static void whose_segments_come_to_the_socket(void **state)
{
	(void)state;
	segments[UP]++;
	silent_for(UP, 1.5);
	assert_followed();
}

/* What came to the socket before it was followed is no news in the next pause. */
static void who_was_followed_pauses(void **state)
{
	for (int is_silent = 0; is_silent <= 1; is_silent++) {
		setup(state);
		segments[UP]++;
		shared.legs[UP].astray = is_silent ? 0 : 3;
		silent_for(UP, is_silent * 1.5);
		assert_followed();
		silent_for(UP, 1.5);
		assert_null(look());
		assert_int_equal(questions, 0);
	}
}

/* After some seconds that is asked for more seldom. */
static void who_is_idle_for_long(void **state)
{
	(void)state;
	segments[UP]++;
	silent_for(UP, 100);
	ends[UP].asked_s = NOW_S - 7.9;
	assert_null(look());
	assert_int_equal(questions, 0);
	/* However late a look is. */
	ends[UP].asked_s = NOW_S - 8.9;
	assert_followed();
	assert_true(ends[UP].asked_s == NOW_S);
}

static void the_way_is_the_same(void **state)
{
	(void)state;
	device = OLD;
	shared.legs[UP].astray = 3;
	assert_null(look());
	assert_int_equal(questions, 1);
	assert_int_equal(attended, 0);
	/* But some come past the program. */
	segments[UP]++;
	silent_for(UP, 1.5);
	assert_string_equal(look(), "packets: some come past the program");
}

/* It may come back. */
static void there_is_no_way(void **state)
{
	(void)state;
	assert_true(packets_way_is_known(NULL, ends, &shared));
	device = -ENETUNREACH;
	assert_false(packets_way_is_known(NULL, ends, &shared));
	shared.legs[UP].astray = 3;
	assert_null(look());
	assert_int_equal(shared.legs[UP].ifindex, OLD);
}

static void a_device_of_an_unknown_kind(void **state)
{
	(void)state;
	attend_err = -EOPNOTSUPP;
	shared.legs[UP].astray = 3;
	assert_string_equal(look(), "packets: no way to a peer by which they can be forwarded");
	assert_int_equal(shared.legs[UP].ifindex, OLD);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_speaks_is_not_looked_for),
		TEST(who_owes_an_acknowledgement),
		TEST(whose_packets_come_by_another_device),
		TEST(whose_segments_come_to_the_socket),
		TEST(who_was_followed_pauses),
		TEST(who_is_idle_for_long),
		TEST(the_way_is_the_same),
		TEST(there_is_no_way),
		TEST(a_device_of_an_unknown_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
