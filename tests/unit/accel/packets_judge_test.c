/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program bpf/packets.bpf.c takes, drops, heeds and asks. */
#include "packets_fixture.h"

static void only_a_quiet_pair_is_taken(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	/* armed_ns in the future counts as old: the difference is not negative. */
	quiet_make(&pair, &content);
	assert_int_equal(offer(&pair, &content), NEXT);
	assert_int_equal(state_of(&pair), HAWSER_PACKETS_ARMED);
}

#define ASSERT_NOT_TAKEN(change)                                                                   \
	do {                                                                                       \
		quiet_make(&pair, &content);                                                       \
		pair.armed_ns = now_ns();                                                          \
		change;                                                                            \
		assert_int_equal(offer(&pair, &content), NEXT);                                    \
		assert_int_equal(state_of(&pair), HAWSER_PACKETS_ARMED);                           \
		/* It has been counted, so that a taker elsewhere notices. */                      \
		assert_true(pair.word >= HAWSER_PACKETS_ONE);                                      \
	} while (0)

/* Not even counted. */
static void without_its_bucket_it_is_not_looked_up(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		quiet_make_of(&pair, &content, ipv6);
		assert_int_equal(offer(&pair, &content), NEXT);
		assert_true(pair.word >= HAWSER_PACKETS_ONE);
		quiet_make_of(&pair, &content, ipv6);
		memset(skeleton->bss->buckets, 0, sizeof(skeleton->bss->buckets));
		assert_int_equal(offer(&pair, &content), NEXT);
		assert_true(pair.word == HAWSER_PACKETS_ARMED);
	}
}

static void what_is_owed_keeps_it(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	quiet_make(&pair, &content);
	pair.armed_ns = now_ns();
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_int_equal(state_of(&pair), HAWSER_PACKETS_TAKEN);
	assert_int_equal(pair.legs[0].end, content.seq + 100);
	/* Each may send what the other said that it has room for. */
	assert_int_equal(pair.legs[0].edge, content.seq + pair.legs[1].window);
	assert_int_equal(pair.legs[1].edge,
			 5000 + ((uint32_t)content.window << pair.legs[0].peer_scale));

	ASSERT_NOT_TAKEN(content.payload_len = 0);
	ASSERT_NOT_TAKEN(content.seq++);
	ASSERT_NOT_TAKEN(content.seq--);
	ASSERT_NOT_TAKEN(content.ack--);
	ASSERT_NOT_TAKEN(content.ack++);
	ASSERT_NOT_TAKEN(content.flags |= FIN);
	ASSERT_NOT_TAKEN(content.flags |= RST);
	ASSERT_NOT_TAKEN(content.flags |= SYN);
	ASSERT_NOT_TAKEN(content.options_len = 0); /* no time stamps */
	ASSERT_NOT_TAKEN(pair.legs[0].end++);	   /* unread, or not there yet */
	ASSERT_NOT_TAKEN(pair.legs[1].end++);
	ASSERT_NOT_TAKEN(pair.legs[1].own_acked--);
	ASSERT_NOT_TAKEN(pair.legs[1].seen = 0);
	ASSERT_NOT_TAKEN(pair.legs[0].seen = 0);
	ASSERT_NOT_TAKEN(pair.legs[0].ifindex++); /* it came by another device */
	ASSERT_NOT_TAKEN(pair.legs[0].stamp = 3); /* older than the newest */
	ASSERT_NOT_TAKEN(pair.resets = 1);
	ASSERT_NOT_TAKEN(pair.armed_ns -= HAWSER_PACKETS_ARMED_MAX_NS);
}

static void frozen_drops_and_heeds(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_FROZEN;
	pair.legs[1].end = 5000 + 300;
	content.ack += 200;
	assert_int_equal(offer(&pair, &content), 2);
	assert_int_equal(pair.legs[1].acked, 5200);
	assert_int_equal(pair.legs[0].end, content.seq);
	/* But not who only guesses where the stream is. */
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_FROZEN;
	pair.legs[1].end = 5000 + 300;
	content.ack += 200;
	content.seq += HAWSER_PACKETS_SLACK + 1;
	assert_int_equal(offer(&pair, &content), 2);
	assert_int_equal(pair.legs[1].acked, 5000);
}

/* The upper half of what is acknowledged counts how often the numbers began anew. */
static void rounds_are_counted(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	pair.legs[1].acked = 0x2fffffff0;
	pair.legs[1].end = 0x50;
	pair.legs[1].seq_delta = content.ack - 0x40;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_true(pair.legs[1].acked == 0x300000040);
	content.ack -= 0x80;
	content.seq += 100;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	assert_true(pair.legs[1].acked == 0x300000040);
}

static void owner_lives(uint64_t at_ns)
{
	const uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skeleton->maps.packet_owner), &zero,
					     &at_ns, BPF_ANY),
			 0);
}

/* The window that the other peer is told, in bytes. */
static uint32_t window_told(struct hawser_packets_pair *pair, const struct content *content)
{
	uint8_t frame[PACKET_MAX + 64];
	size_t len = frame_make(content, frame);

	pair_store(pair);
	assert_int_equal(program_run(frame, &len), REDIRECT);
	pair_load(pair);
	return (uint32_t)(frame[ETH_HLEN + 20 + 14] << 8 | frame[ETH_HLEN + 20 + 15])
	       << pair->legs[1].own_scale;
}

/* A pair that is to come back: the other peer has room for what it has sent, and for no more. */
static void held_make(struct hawser_packets_pair *pair, struct content *content)
{
	quiet_make(pair, content);
	pair->word = HAWSER_PACKETS_TAKEN;
	pair->legs[0].held = 1;
	pair->legs[0].peer_scale = 7;
	pair->legs[1].own_scale = 2;
	pair->legs[1].end = 5000 + 300;
	content->window = 1000;
	content->ack += 200;
	owner_lives(now_ns());
}

static void who_is_held_has_no_room(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	held_make(&pair, &content);
	assert_int_equal(window_told(&pair, &content), 100);
	assert_int_equal(pair.legs[0].end, content.seq + 100);
	assert_int_equal(pair.legs[0].window, 128000);
	held_make(&pair, &content);
	content.ack += 100;
	assert_int_equal(window_told(&pair, &content), 0);
	/* Nor more than there is. */
	held_make(&pair, &content);
	content.window = 0;
	assert_int_equal(window_told(&pair, &content), 0);
	held_make(&pair, &content);
	pair.legs[0].held = 0;
	assert_int_equal(window_told(&pair, &content), 128000);
	/* Nobody fetches it who has been killed. */
	held_make(&pair, &content);
	owner_lives(now_ns() - HAWSER_PACKETS_ALIVE_NS);
	assert_int_equal(window_told(&pair, &content), 128000);
}

/* A SYN of a peer that begins anew while the program has the pair. */
static void syn_make(struct hawser_packets_pair *pair, struct content *content)
{
	quiet_make(pair, content);
	pair->word = HAWSER_PACKETS_TAKEN;
	content->flags = SYN;
	content->payload_len = 0;
	content->seq = 77;
	content->ack = 0;
	content->urgent = 0;
	/* MSS, SACK permitted, time stamps, window scale, as Linux sends them. */
	memcpy(content->options, "\2\4\5\264\4\2\10\12\0\0\0\2\0\0\0\0\1\3\3\7", 20);
	content->options_len = 20;
	pair->legs[0].window = 4096U << pair->legs[0].peer_scale;
	pair->legs[0].stamp = 500;
	pair->legs[1].stamp = 600;
	pair->legs[1].stamp_floor = 550;
}

/* What it says must not come to a listener that the other peer may be by now. */
static void a_new_connection_is_asked_about(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;
	uint8_t got[PACKET_MAX + 64];
	uint8_t want[PACKET_MAX];
	size_t len;
	const struct hawser_packets_leg *from = &pair.legs[0];
	const struct hawser_packets_leg *to = &pair.legs[1];

	(void)state;
	skip_if_refused();
	syn_make(&pair, &content);
	pair_store(&pair);
	len = frame_make(&content, got);
	assert_int_equal(program_run(got, &len), REDIRECT);
	content.flags = ACK;
	content.seq = from->acked - 1;
	content.ack = to->acked + to->seq_delta;
	content.window = 4096;
	memset(content.options, 1, 20);
	memcpy(content.options + 6, "\10\12", 2);
	content.stamp = 8;
	put32(content.options + 8, from->stamp);
	put32(content.options + 12, to->stamp + to->stamp_delta);
	content_expect(&content, from, to);
	assert_int_equal(len, frame_make(&content, want));
	assert_memory_equal(got, want, len);
	pair_load(&pair);
	assert_int_equal(state_of(&pair), HAWSER_PACKETS_TAKEN);
	assert_int_equal(pair.legs[0].end, pair.legs[0].copied);

	syn_make(&pair, &content);
	content.flags = SYN | ACK;
	assert_int_equal(offer(&pair, &content), 2);
	syn_make(&pair, &content);
	content.payload_len = 1;
	assert_int_equal(offer(&pair, &content), 2);

	/* It is over: whoever listens here may have it. */
	syn_make(&pair, &content);
	pair.word = HAWSER_PACKETS_CLOSED;
	assert_int_equal(offer(&pair, &content), NEXT);
	assert_int_equal(state_of(&pair), HAWSER_PACKETS_FREE);
}

/* A packet with something more in IP's header, or behind it; whether it is known for one of the
 * pair all the same. */
static void assert_unusual(bool ipv6, const uint8_t *more, size_t len, int known)
{
	struct hawser_packets_pair pair;
	struct content content;
	uint8_t frame[PACKET_MAX + 64];
	uint8_t *ip = frame + ETH_HLEN;
	const size_t headers = ETH_HLEN + (ipv6 ? 40 : 20);
	size_t frame_len;

	quiet_make_of(&pair, &content, ipv6);
	pair.word = HAWSER_PACKETS_TAKEN;
	frame_len = frame_make(&content, frame);
	if (ipv6) {
		ip[6] = more[0];
		more++;
		len--;
		put16(ip + 4, (uint32_t)(frame_len + len - headers));
	} else if (len) {
		ip[0] += (uint8_t)(len / 4);
		put16(ip + 2, (uint32_t)(frame_len + len - ETH_HLEN));
	} else {
		ip[6] = 0x20; /* more fragments */
	}
	memmove(frame + headers + len, frame + headers, frame_len - headers);
	memcpy(frame + headers, more, len);
	frame_len += len;
	pair_store(&pair);
	assert_int_equal(program_run(frame, &frame_len), NEXT);
	pair_load(&pair);
	assert_int_equal(pair.unusual, known);
}

static void fragments_and_options_are_told(void **state)
{
	(void)state;
	skip_if_refused();
	assert_unusual(false, (const uint8_t *)"", 0, 1);
	assert_unusual(false, (const uint8_t *)"\1\1\1\0", 4, 1);
	/* Hop-by-hop and destination options, a first fragment and a later one, and what is not
	 * TCP. */
	assert_unusual(true, (const uint8_t *)"\0\6\0\1\4\0\0\0\0", 9, 1);
	assert_unusual(true, (const uint8_t *)"\0\74\0\1\4\0\0\0\0\6\0\1\4\0\0\0\0", 17, 1);
	assert_unusual(true, (const uint8_t *)"\54\6\0\0\1\0\0\0\1", 9, 1);
	assert_unusual(true, (const uint8_t *)"\54\6\0\0\11\0\0\0\1", 9, 0);
	assert_unusual(true, (const uint8_t *)"\0\21\0\1\4\0\0\0\0", 9, 0);
}

static void an_older_pair_is_not_touched(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	pair.generation++;
	assert_int_equal(offer(&pair, &content), NEXT);
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_FREE;
	assert_int_equal(offer(&pair, &content), NEXT);
}

static void too_big_for_the_other_leg_is_told(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	pair.legs[1].mtu = 20 + 32 + 100;
	assert_int_equal(offer(&pair, &content), REDIRECT);
	pair.legs[1].mtu--;
	assert_int_equal(offer(&pair, &content), 2);
	assert_int_equal(pair.legs[0].too_big, 1);
	/* There is no ring for it here. */
	assert_int_equal(pair.events_lost, 1);
}

/* A router says that a packet to the peer of leg 0 with this number was too big. */
static void say_too_big(struct hawser_packets_pair *pair, uint32_t seq, uint16_t mtu)
{
	const struct hawser_packets_leg *leg = &pair->legs[0];
	const bool ipv6 = pair->family == HAWSER_PACKETS_IPV6;
	const size_t ip_len = ipv6 ? 40 : 20;
	struct content quoted = {.ipv6 = ipv6,
				 .source_port = leg->own_port,
				 .destination_port = leg->peer_port,
				 .seq = seq,
				 .flags = ACK,
				 .ttl = 1};
	uint8_t frame[PACKET_MAX + 64];
	uint8_t inner[PACKET_MAX];
	size_t len = ETH_HLEN + ip_len + 8 + ip_len + 8;
	uint8_t *icmp = frame + ETH_HLEN + ip_len;

	memcpy(quoted.source, leg->own, sizeof(quoted.source));
	memcpy(quoted.destination, leg->peer, sizeof(quoted.destination));
	(void)frame_make(&quoted, inner);
	(void)frame_make(&quoted, frame);
	if (ipv6) {
		frame[ETH_HLEN + 6] = IPPROTO_ICMPV6;
		put16(frame + ETH_HLEN + 4, (uint32_t)(len - ETH_HLEN - ip_len));
	} else {
		frame[ETH_HLEN + 9] = IPPROTO_ICMP;
		put16(frame + ETH_HLEN + 2, (uint32_t)len - ETH_HLEN);
	}
	memset(icmp, 0, 8);
	icmp[0] = ipv6 ? 2 : 3;
	icmp[1] = ipv6 ? 0 : 4;
	put16(icmp + 6, mtu);
	memcpy(icmp + 8, inner + ETH_HLEN, ip_len + 8);
	pair_store(pair);
	/* It goes on to the host, which may have asked for it too. */
	assert_int_equal(program_run(frame, &len), NEXT);
	pair_load(pair);
}

static void heed(bool ipv6, uint32_t least)
{
	struct hawser_packets_pair pair;
	struct content content;
	uint32_t delta;

	quiet_make_of(&pair, &content, ipv6);
	pair.word = HAWSER_PACKETS_TAKEN;
	pair.legs[1].end += 300;
	delta = pair.legs[1].seq_delta;
	say_too_big(&pair, 5100 + delta, 1400);
	assert_int_equal(pair.legs[0].mtu, 1400);
	assert_int_equal(pair.legs[1].mtu, 2000);
	/* Not more than it was, nor less than any way takes. */
	say_too_big(&pair, 5100 + delta, 1450);
	assert_int_equal(pair.legs[0].mtu, 1400);
	say_too_big(&pair, 5100 + delta, 68);
	assert_int_equal(pair.legs[0].mtu, least);
	/* Nor of bytes that are not on their way (RFC 5927). */
	pair.legs[0].mtu = 2000;
	say_too_big(&pair, 4999 + delta, 1400);
	say_too_big(&pair, 5300 + delta, 1400);
	assert_int_equal(pair.legs[0].mtu, 2000);
}

static void routers_are_heeded(void **state)
{
	(void)state;
	skip_if_refused();
	heed(false, 552);
	heed(true, 1280);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_quiet_pair_is_taken),
		cmocka_unit_test(without_its_bucket_it_is_not_looked_up),
		cmocka_unit_test(what_is_owed_keeps_it),
		cmocka_unit_test(frozen_drops_and_heeds),
		cmocka_unit_test(rounds_are_counted),
		cmocka_unit_test(who_is_held_has_no_room),
		cmocka_unit_test(a_new_connection_is_asked_about),
		cmocka_unit_test(fragments_and_options_are_told),
		cmocka_unit_test(an_older_pair_is_not_touched),
		cmocka_unit_test(too_big_for_the_other_leg_is_told),
		cmocka_unit_test(routers_are_heeded),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
