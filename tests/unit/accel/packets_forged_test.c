/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program bpf/packets.bpf.c does not believe, as no peer sends it, or not from there. */
#include "packets_fixture.h"

static void what_no_peer_sends_is_dropped(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	/* An acknowledgement of what was never sent. */
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	content.ack += 1;
	content.flags |= FIN;
	assert_int_equal(offer(&pair, &content), 2);
	assert_int_equal(pair.legs[1].acked, 5000);
	assert_int_equal(pair.legs[0].end, content.seq);
	assert_int_equal(pair.legs[0].has_fin, 0);
	/* Nor does a peer send without saying what it has. */
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	content.flags = PSH | FIN;
	assert_int_equal(offer(&pair, &content), 2);
	assert_int_equal(pair.legs[0].end, content.seq);
	assert_int_equal(pair.legs[0].has_fin, 0);
	/* The end of what has been acknowledged already is none. */
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	content.flags |= FIN;
	content.payload_len = 0;
	content.seq -= 10;
	(void)offer(&pair, &content);
	assert_int_equal(pair.legs[0].has_fin, 0);
	/* Beyond the window. */
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	pair.legs[0].edge += 1000;
	content.seq += 1000 + HAWSER_PACKETS_SLACK;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	content.seq++;
	assert_int_equal(offer(&pair, &content), 2);
	assert_int_equal(pair.legs[0].end, content.seq + 99);
	/* A reset is passed on, but only one in the window is believed. */
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	content.flags = RST;
	content.payload_len = 0;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(pair.resets, 1);
	content.seq += 1;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(pair.resets, 1);
	content.seq -= 2;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(pair.resets, 1);
	/* Nor does one in the midst of bytes on their way hit the one that is expected. */
	pair.legs[0].end += 100;
	pair.legs[0].edge += 100;
	content.seq += 51;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(pair.resets, 1);
	content.seq += 50;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(pair.resets, 2);
}

/* Who knows addresses and ports makes up bytes far away, and a reset after them: the receiver heeds
 * neither, and does not answer. */
static void guesses_end_nothing(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;
	uint32_t seq;

	(void)state;
	skip_if_refused();
	for (uint32_t quarter = 1; quarter < 8; quarter++) {
		quiet_make(&pair, &content);
		pair.word = HAWSER_PACKETS_TAKEN;
		pair.legs[0].edge += 50000;
		seq = content.seq;
		content.seq += quarter << 29;
		content.flags |= FIN;
		put32(content.options + 4, 0x70000000);
		(void)offer(&pair, &content);
		assert_int_equal(pair.legs[0].end, seq);
		assert_int_equal(pair.legs[0].has_fin, 0);
		assert_int_equal(pair.legs[0].stamp, 1);
		content.flags = RST;
		content.seq += 101;
		content.payload_len = 0;
		(void)offer(&pair, &content);
		assert_int_equal(pair.resets, 0);
	}
	/* In the slack there are bytes for which there is no room; nor is a reset there believed.
	 */
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	content.flags = RST;
	content.seq += 100;
	content.payload_len = 0;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(pair.resets, 0);
	pair.legs[0].edge += 100;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(pair.resets, 1);
}

static void a_flood_of_resets_is_told_seldom(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	content.flags = RST;
	content.payload_len = 0;
	for (uint32_t i = 1; i <= 5; i++) {
		/* However slow this machine is; as if another processor was ahead. */
		pair.reset_ns = i == 1 ? 0 : now_ns() + 3600000000000ULL;
		assert_int_equal(offer(&pair, &content), REDIRECT);
		assert_int_equal(pair.resets, i);
		/* There is no ring for it here. */
		assert_int_equal(pair.events_lost, 1);
	}
	pair.reset_ns = now_ns() - 200000000;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(pair.events_lost, 2);
	/* Somebody has spoken since. */
	pair.reset_ns = now_ns() - 10000000;
	pair.legs[1].last_ns = pair.reset_ns + 1;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(pair.events_lost, 3);
}

/* While user space moves the bytes. */
static void words_out_of_turn_change_nothing(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	for (enum hawser_packets_state is = HAWSER_PACKETS_LEARN; is <= HAWSER_PACKETS_ARMED;
	     is++) {
		/* An old acknowledgement from another device. */
		quiet_make(&pair, &content);
		pair.word = is;
		pair.legs[0].ifindex = 4711;
		pair.legs[0].window = 500;
		content.payload_len = 0;
		content.seq -= 1000;
		put32(content.options + 4, 0x70000000);
		assert_int_equal(offer(&pair, &content), NEXT);
		assert_int_equal(pair.legs[0].ifindex, 4711);
		assert_int_equal(pair.legs[0].seen, 1);
		assert_int_equal(pair.legs[0].astray, 0);
		assert_int_equal(pair.legs[0].stamp, 1);
		assert_int_equal(pair.legs[0].window, 500);
		/* The next of the stream is believed, and told of. */
		content.seq += 1000;
		put32(content.options + 4, 9);
		assert_int_equal(offer(&pair, &content), NEXT);
		assert_int_equal(pair.legs[0].ifindex, 4711);
		assert_int_equal(pair.legs[0].seen, 0);
		assert_int_equal(pair.legs[0].astray, 1);
		assert_int_equal(pair.legs[0].stamp, 9);
		pair.legs[0].ifindex = LOOPBACK;
		assert_int_equal(offer(&pair, &content), NEXT);
		assert_int_equal(pair.legs[0].seen, 1);
	}
}

static void another_device_is_told_once(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	pair.legs[0].ifindex = 4711;
	for (uint32_t i = 1; i <= 3; i++) {
		/* It goes on: what it says is the peer's. */
		assert_int_equal(offer(&pair, &content), REDIRECT);
		assert_int_equal(pair.legs[0].astray, i);
		assert_int_equal(pair.events_lost, 1);
	}
	/* Not of who guesses. */
	content.seq += 1U << 30;
	assert_int_equal(offer(&pair, &content), 2);
	assert_int_equal(pair.legs[0].astray, 3);
}

/* What was seen is forwarded for a while, but holds the pair no longer; the host tells who sends
 * more that nobody is there. */
static void after_the_end_nothing_new_goes(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_CLOSED;
	pair.legs[0].edge += 50000;
	pair.legs[0].last_ns = 5;
	assert_int_equal(offer(&pair, &content), NEXT);
	assert_int_equal(pair.legs[0].end, content.seq);
	content.payload_len = 0;
	content.flags |= FIN;
	assert_int_equal(offer(&pair, &content), NEXT);
	content.flags &= (uint8_t)~FIN;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	content.payload_len = 100;
	content.seq -= 100;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(pair.legs[0].packets, 2);
	assert_int_equal(pair.legs[0].last_ns, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_peer_sends_is_dropped),
		cmocka_unit_test(guesses_end_nothing),
		cmocka_unit_test(a_flood_of_resets_is_told_seldom),
		cmocka_unit_test(words_out_of_turn_change_nothing),
		cmocka_unit_test(another_device_is_told_once),
		cmocka_unit_test(after_the_end_nothing_new_goes),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
