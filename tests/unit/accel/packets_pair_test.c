/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pair that is taken, comes back or ends. */
#include "packets_pair_fixture.h"

/* So many bytes are acknowledged, and so many are on their way. */
static void carry(enum direction d, uint64_t acked, uint32_t more)
{
	shared.legs[d].acked += acked;
	shared.legs[d].end = (uint32_t)shared.legs[d].acked + more;
	shared.legs[d].packets++;
}

/* Where they were in the moment that counts, and as many bytes as that says. */
static void assert_places(uint32_t up, uint32_t down)
{
	assert_int_equal(places[UP].expected, UP_START + up);
	assert_int_equal(places[DOWN].next, UP_START + up + UP_DELTA);
	assert_int_equal(places[DOWN].expected, DOWN_START + down);
	assert_int_equal(places[UP].next, DOWN_START + down + DOWN_DELTA);
}

static void one_look_counts(void **state)
{
	(void)state;
	carry(UP, 700, 100);
	carry(DOWN, 300, 0);
	assert_int_equal(packets_pair_take_count(pair, UP), 700);
	packets_pair_leave(pair);
	pass(0.1);
	assert_int_equal(told_count, 0);
	acked_meanwhile = 50;
	pass(6);
	assert_int_equal(told, PACKETS_PAIR_LEFT);
	assert_places(700, 300);
	assert_int_equal(packets_pair_take_count(pair, UP), 0);
	assert_int_equal(packets_pair_take_count(pair, DOWN), 300);
	assert_int_equal(state_get(), HAWSER_PACKETS_LEARN);
	/* User space moves 10 bytes up and none down; what is forwarded after that counts again. */
	acked_meanwhile = 0;
	shared.legs[UP].end = UP_START + 710;
	shared.legs[DOWN].end = DOWN_START + 300;
	packets_pair_arm(pair, (uint64_t[]){710, 300});
	state_set(HAWSER_PACKETS_TAKEN);
	assert_int_equal(packets_pair_take_count(pair, UP), 0);
	carry(UP, 7, 0);
	assert_int_equal(packets_pair_take_count(pair, UP), 7);
	assert_int_equal(packets_pair_take_count(pair, DOWN), 0);
}

static void more_bytes_than_numbers(void **state)
{
	(void)state;
	carry(UP, 5000000000, 0);
	carry(DOWN, 9000000000, 0);
	assert_true(packets_pair_take_count(pair, UP) == 5000000000);
	packets_pair_leave(pair);
	pass(0.1);
	assert_int_equal(told, PACKETS_PAIR_LEFT);
	assert_true(packets_pair_take_count(pair, UP) == 0);
	assert_true(packets_pair_take_count(pair, DOWN) == 9000000000);
	assert_places((uint32_t)5000000000, (uint32_t)9000000000);
}

/* What is on its way does not arrive, so nothing is forwarded for a second, in which peers say what
 * they have. */
static void who_cannot_wait(void **state)
{
	(void)state;
	carry(UP, 700, 100);
	way = "packets: some come past the program";
	tell(HAWSER_PACKETS_EVENT_TAKEN);
	assert_int_equal(told, PACKETS_PAIR_UNFIT);
	assert_string_equal(packets_pair_unfit(pair), way);
	packets_pair_leave(pair);
	assert_int_equal(shared.legs[UP].held, 1);
	pass(0.9);
	assert_int_equal(state_get(), HAWSER_PACKETS_TAKEN);
	pass(0.2);
	assert_int_equal(state_get(), HAWSER_PACKETS_FROZEN);
	shared.legs[UP].acked += 60;
	pass(0.9);
	assert_int_equal(told_count, 1);
	pass(0.2);
	assert_int_equal(told, PACKETS_PAIR_LEFT);
	assert_places(760, 0);
	assert_int_equal(packets_pair_take_count(pair, UP), 760);
}

/* Of one fragment, or some options, the peer sends again what was in it. Then the moment is waited
 * for; what goes on does not arrive. */
static void fragments(void **state)
{
	(void)state;
	carry(UP, 700, 100);
	shared.unusual = 1;
	tell(HAWSER_PACKETS_EVENT_UNUSUAL);
	assert_int_equal(told, PACKETS_PAIR_UNFIT);
	packets_pair_leave(pair);
	pass(1.1);
	assert_int_equal(state_get(), HAWSER_PACKETS_TAKEN);
	shared.unusual++;
	tell(HAWSER_PACKETS_EVENT_UNUSUAL);
	pass(0.1);
	assert_int_equal(state_get(), HAWSER_PACKETS_FROZEN);
	pass(1.1);
	assert_int_equal(told, PACKETS_PAIR_LEFT);
}

/* As while an interface is gone: a socket could not be connected again. */
static void without_a_way_it_stays(void **state)
{
	(void)state;
	way_is_known = false;
	packets_pair_leave(pair);
	pass(100);
	assert_int_equal(told_count, 0);
	assert_int_equal(state_get(), HAWSER_PACKETS_TAKEN);
	way_is_known = true;
	carry(UP, 700, 100);
	pass(0.1);
	assert_int_equal(state_get(), HAWSER_PACKETS_FROZEN);
	way_is_known = false;
	pass(100);
	assert_int_equal(told_count, 0);
	way_is_known = true;
	pass(0.1);
	assert_int_equal(told, PACKETS_PAIR_LEFT);
	assert_places(700, 0);
}

/* As when the interface has another address since. */
static void without_a_way_not_for_ever(void **state)
{
	(void)state;
	way_is_known = false;
	packets_pair_leave(pair);
	pass(0);
	pass(SOCKET_PATIENCE_S - 1);
	assert_int_equal(told_count, 0);
	pass(2);
	pass(2);
	assert_int_equal(told_count, 1);
	assert_int_not_equal(state_get(), HAWSER_PACKETS_TAKEN);
}

/* What is on its way then never arrives. */
static void without_a_way_nor_a_moment(void **state)
{
	(void)state;
	carry(UP, 700, 100);
	shared.legs[UP].end += 100;
	without_a_way_not_for_ever(state);
}

static void a_peer_that_heeds_no_window(void **state)
{
	(void)state;
	packets_pair_leave(pair);
	for (int second = 0; second < 19; second++) {
		carry(UP, 1000, 500);
		pass(1);
	}
	assert_int_equal(told_count, 0);
	assert_int_equal(state_get(), HAWSER_PACKETS_TAKEN);
	carry(UP, 1000, 500);
	pass(1.1);
	assert_int_equal(state_get(), HAWSER_PACKETS_FROZEN);
	pass(1.1);
	assert_int_equal(told, PACKETS_PAIR_LEFT);
	assert_places(20000, 0);
}

/* Before it is taken: nobody forwards it, and user space goes on. */
static void another_lets_go_of_it(void **state)
{
	(void)state;
	state_set(HAWSER_PACKETS_FREE);
	tell(HAWSER_PACKETS_EVENT_CLOSED);
	assert_int_equal(told_count, 0);
	assert_true(packets_pair_disarm(pair));
	assert_int_equal(rested, 0);
	assert_string_equal(packets_pair_arm(pair, no_bytes),
			    "packets: another hawserd has let go of it");
	assert_true(packets_pair_disarm(pair));
	assert_int_equal(state_get(), HAWSER_PACKETS_FREE);
}

/* The program took it, of which this one knows nothing yet. */
static void another_lets_go_of_it_once_taken(void **state)
{
	(void)state;
	shared.takes++;
	state_set(HAWSER_PACKETS_FREE);
	assert_false(packets_pair_disarm(pair));
	assert_int_equal(rested, 2);
}

/* After that: it has not ended, so the sockets come back. */
static void another_lets_go_of_one_that_was_taken(void **state)
{
	(void)state;
	carry(UP, 700, 0);
	shared.legs[UP].fin = UP_START + 700;
	shared.legs[UP].has_fin = 1;
	state_set(HAWSER_PACKETS_FREE);
	assert_false(packets_pair_disarm(pair));
	tell(HAWSER_PACKETS_EVENT_CLOSED);
	assert_int_equal(told, PACKETS_PAIR_LEFT);
	assert_places(700, 0);
	assert_true(packets_pair_disarm(pair));
}

static void both_ends_are_the_end(void **state)
{
	(void)state;
	for (enum direction d = UP; d < DIRECTIONS; d++) {
		carry(d, 701, 0);
		shared.legs[d].fin = shared.legs[d].end;
		shared.legs[d].has_fin = 1;
	}
	/* A peer has begun another connection since. */
	state_set(HAWSER_PACKETS_FREE);
	tell(HAWSER_PACKETS_EVENT_CLOSED);
	assert_int_equal(told, PACKETS_PAIR_CLOSED);
	assert_int_equal(packets_pair_take_count(pair, UP), 700);
}

static void what_is_too_big(void **state)
{
	(void)state;
	shared.legs[DOWN].mtu = 1400;
	for (int i = 0; i < 10; i++) {
		tell(HAWSER_PACKETS_EVENT_TOO_BIG);
		now_s += 0.19;
	}
	/* A smaller one is told anew. */
	shared.legs[DOWN].mtu = 1300;
	now_s += 1;
	tell(HAWSER_PACKETS_EVENT_TOO_BIG);
	now_s += 1.9;
	tell(HAWSER_PACKETS_EVENT_TOO_BIG);
	/* Senders try later whether the way has become wider. */
	now_s += 15;
	tell(HAWSER_PACKETS_EVENT_TOO_BIG);
	now_s += 600;
	tell(HAWSER_PACKETS_EVENT_TOO_BIG);
	assert_int_equal(told_count, 0);
	assert_null(packets_pair_unfit(pair));
	/* It does not heed it. */
	now_s += 2.1;
	tell(HAWSER_PACKETS_EVENT_TOO_BIG);
	assert_int_equal(told, PACKETS_PAIR_UNFIT);
	assert_string_equal(packets_pair_unfit(pair), "packets: too big for the other leg");
}

static void what_is_too_big_and_cannot_be_told(void **state)
{
	(void)state;
	peers_can_be_told = false;
	tell(HAWSER_PACKETS_EVENT_TOO_BIG);
	assert_int_equal(told, PACKETS_PAIR_UNFIT);
}

/* Who says it again and again does not put off the end. */
static void a_flood_of_resets(void **state)
{
	(void)state;
	tell(HAWSER_PACKETS_EVENT_RESET);
	for (int i = 0; i < 9; i++) {
		now_s += 0.1;
		tell(HAWSER_PACKETS_EVENT_RESET);
	}
	assert_int_equal(told_count, 0);
	pass(0.2);
	assert_int_equal(told, PACKETS_PAIR_RESET);
}

/* Routes change before it is taken, too. */
static void it_is_followed(void **state)
{
	(void)state;
	assert_true(packets_pair_disarm(pair));
	packets_pair_arm(pair, no_bytes);
	assert_int_equal(followed, 0);
	assert_true(packets_pair_disarm(pair));
	shared.legs[DOWN].astray = 3;
	packets_pair_arm(pair, no_bytes);
	assert_int_equal(followed, 1);
	/* User space has read what the program has not seen; asked for seldom. */
	assert_true(packets_pair_disarm(pair));
	packets_pair_arm(pair, (uint64_t[]){64, 0});
	assert_int_equal(followed, 1);
	assert_true(packets_pair_disarm(pair));
	now_s += 1.1;
	packets_pair_arm(pair, (uint64_t[]){64, 0});
	assert_int_equal(followed, 2);
}

/* The peer's packets go on coming by another device than those to it go by. */
static void it_cannot_be_followed(void **state)
{
	const char *fault = NULL;

	(void)state;
	shared.legs[DOWN].seen = 0;
	for (int i = 0; i < 6; i++) {
		assert_null(fault);
		assert_true(packets_pair_disarm(pair));
		shared.legs[DOWN].astray++;
		now_s += 1.1;
		fault = packets_pair_arm(pair, no_bytes);
	}
	assert_string_equal(fault, "packets: a peer's come by another device than those to it");
}

#define TEST(name, with) cmocka_unit_test_setup_teardown(name, with, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_look_counts, taken_setup),
		TEST(more_bytes_than_numbers, taken_setup),
		TEST(who_cannot_wait, taken_setup),
		TEST(fragments, taken_setup),
		TEST(without_a_way_it_stays, taken_setup),
		TEST(without_a_way_not_for_ever, taken_setup),
		TEST(without_a_way_nor_a_moment, taken_setup),
		TEST(a_peer_that_heeds_no_window, taken_setup),
		TEST(another_lets_go_of_it, setup),
		TEST(another_lets_go_of_it_once_taken, setup),
		TEST(another_lets_go_of_one_that_was_taken, taken_setup),
		TEST(both_ends_are_the_end, taken_setup),
		TEST(what_is_too_big, taken_setup),
		TEST(what_is_too_big_and_cannot_be_told, taken_setup),
		TEST(a_flood_of_resets, taken_setup),
		TEST(it_is_followed, setup),
		TEST(it_cannot_be_followed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
