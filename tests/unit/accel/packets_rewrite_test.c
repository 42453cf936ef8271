/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program bpf/packets.bpf.c over packets of all layouts, against a model that makes each
 * expected packet anew and sums all of it up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hawser_packets.h"
#include "packets.skel.h"

#define CASES	       4000
#define PACKET_MAX     1600
#define FRAME_MIN      60
#define REDIRECT       7 /* TC_ACT_REDIRECT */
#define NEXT	       (-1)
#define TTL	       64
#define LOOPBACK       1
#define TCP_HEADER_MAX 60

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10, URG = 0x20, ECE = 0x40 };

/* What a packet says; both the one that goes in and the one that is expected are made of it. */
struct content {
	bool ipv6;
	uint32_t source[4];
	uint32_t destination[4];
	uint16_t source_port; /* network byte order */
	uint16_t destination_port;
	uint32_t seq;
	uint32_t ack;
	uint8_t flags;
	uint16_t window;
	uint16_t urgent;
	uint8_t traffic; /* DSCP and ECN */
	uint8_t ttl;
	uint16_t id;
	uint8_t options[40];
	size_t options_len;
	size_t stamp; /* where in the options its values are; 0: none, as a kind and a length
			 precede */
	size_t sack;  /* the same of the blocks */
	size_t sack_blocks;
	uint8_t payload[1200];
	size_t payload_len;
};

static struct packets_bpf *skeleton;
static const char *refused;
static unsigned int seed;

static uint32_t dice(uint32_t sides)
{
	return (((uint32_t)rand_r(&seed) << 15) ^ (uint32_t)rand_r(&seed)) % sides;
}

static uint32_t dice32(void)
{
	return (uint32_t)rand_r(&seed) << 30 ^ (uint32_t)rand_r(&seed) << 15 ^
	       (uint32_t)rand_r(&seed);
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t sum(const uint8_t *bytes, size_t len, uint32_t start)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		start += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (len % 2)
		start += (uint32_t)bytes[len - 1] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return start;
}

/* The whole frame; its length. */
static size_t frame_make(const struct content *content, uint8_t *frame)
{
	const size_t address_len = content->ipv6 ? 16 : 4;
	const size_t ip_len = content->ipv6 ? 40 : 20;
	const size_t header_len = 20 + content->options_len;
	const size_t tcp_len = header_len + content->payload_len;
	uint8_t *ip = frame + ETH_HLEN;
	uint8_t *tcp = ip + ip_len;
	uint32_t total;

	memset(frame, 0, PACKET_MAX);
	frame[5] = 2;
	put16(frame + 12, content->ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	if (content->ipv6) {
		put32(ip, 6U << 28 | (uint32_t)content->traffic << 20);
		put16(ip + 4, (uint32_t)tcp_len);
		ip[6] = IPPROTO_TCP;
		ip[7] = content->ttl;
		memcpy(ip + 8, content->source, 16);
		memcpy(ip + 24, content->destination, 16);
	} else {
		ip[0] = 0x45;
		ip[1] = content->traffic;
		put16(ip + 2, (uint32_t)(ip_len + tcp_len));
		put16(ip + 4, content->id);
		put16(ip + 6, 0x4000);
		ip[8] = content->ttl;
		ip[9] = IPPROTO_TCP;
		memcpy(ip + 12, content->source, 4);
		memcpy(ip + 16, content->destination, 4);
		put16(ip + 10, ~sum(ip, ip_len, 0) & 0xffff);
	}
	memcpy(tcp, &content->source_port, 2);
	memcpy(tcp + 2, &content->destination_port, 2);
	put32(tcp + 4, content->seq);
	put32(tcp + 8, content->ack);
	tcp[12] = (uint8_t)(header_len / 4 << 4);
	tcp[13] = content->flags;
	put16(tcp + 14, content->window);
	put16(tcp + 18, content->urgent);
	memcpy(tcp + 20, content->options, content->options_len);
	memcpy(tcp + header_len, content->payload, content->payload_len);
	total = sum(tcp, tcp_len, IPPROTO_TCP + (uint32_t)tcp_len);
	total = sum((const uint8_t *)content->source, address_len, total);
	total = sum((const uint8_t *)content->destination, address_len, total);
	put16(tcp + 16, ~total & 0xffff);
	return ETH_HLEN + ip_len + tcp_len;
}

/* An option of a kind that nobody knows. */
static size_t option_unknown(uint8_t *at, size_t room)
{
	const size_t len = 2 + dice(room > 10 ? 8 : (uint32_t)room - 1);

	at[0] = (uint8_t)(100 + dice(100));
	at[1] = (uint8_t)len;
	for (size_t i = 2; i < len; i++)
		at[i] = (uint8_t)dice(256);
	return len;
}

static void options_make(struct content *content)
{
	uint8_t *options = content->options;
	size_t at = 0;
	bool common = dice(3) == 0;

	content->options_len = 0;
	if (dice(8) == 0)
		return;
	while (at < 40) {
		const size_t room = 40 - at;
		const uint32_t which = common ? 1 : dice(8);

		if (which == 0)
			break;
		if (common || (which <= 2 && !content->stamp && room >= 12)) {
			if (common || dice(2)) {
				options[at++] = 1;
				options[at++] = 1;
			}
			options[at] = 8;
			options[at + 1] = 10;
			content->stamp = at + 2;
			put32(options + at + 2, dice32());
			put32(options + at + 6, dice32());
			at += 10;
			if (common && dice(2))
				break;
			common = false;
		} else if (which <= 4 && !content->sack && room >= 10) {
			content->sack_blocks = 1 + dice((uint32_t)(room - 2) / 8);
			if (content->sack_blocks > 4)
				content->sack_blocks = 4;
			options[at] = 5;
			options[at + 1] = (uint8_t)(2 + 8 * content->sack_blocks);
			content->sack = at + 2;
			for (size_t i = 0; i < 2 * content->sack_blocks; i++)
				put32(options + at + 2 + 4 * i, dice32());
			at += 2 + 8 * content->sack_blocks;
		} else if (which == 5 && room >= 3) {
			at += option_unknown(options + at, room);
		} else {
			options[at++] = 1;
		}
	}
	/* An end, and after it what is no option any more, but looks like one. */
	if (at % 4 || (at < 28 && dice(6) == 0)) {
		options[at++] = 0;
		if (at % 4 == 0 && at < 28 && dice(2)) {
			memcpy(options + at, "\1\1\10\12abcdefgh", 12);
			at += 12;
		}
		while (at % 4)
			options[at++] = (uint8_t)dice(256);
	}
	content->options_len = at;
}

static void leg_make(struct hawser_packets_leg *leg, bool ipv6)
{
	*leg = (struct hawser_packets_leg){
		.peer_port = (uint16_t)dice32(),
		.own_port = (uint16_t)dice32(),
		.peer_scale = (uint8_t)dice(15),
		.own_scale = (uint8_t)dice(15),
		.stamps = 1,
		.mark = dice(2) ? dice32() : 0,
		.seq_delta = dice32(),
		.stamp_delta = dice32(),
		.mtu = 2000,
		.ifindex = LOOPBACK,
	};
	for (int i = 0; i < (ipv6 ? 4 : 1); i++) {
		leg->peer[i] = dice32();
		leg->own[i] = dice32();
	}
}

/* A packet from a leg's peer, such as a peer may send. */
static void content_make(struct content *content, struct hawser_packets_leg *from,
			 struct hawser_packets_leg *to, bool ipv6)
{
	static const uint8_t flags[] = {ACK,	   ACK | PSH, ACK | FIN, ACK | URG,
					ACK | ECE, RST,	      RST | ACK, ACK | PSH | FIN};

	memset(content, 0, sizeof(*content));
	content->ipv6 = ipv6;
	memcpy(content->source, from->peer, sizeof(from->peer));
	memcpy(content->destination, from->own, sizeof(from->own));
	content->source_port = from->peer_port;
	content->destination_port = from->own_port;
	content->seq = dice32();
	content->flags = flags[dice(sizeof(flags))];
	content->ack = dice32();
	content->window = (uint16_t)dice32();
	content->urgent = dice(2) ? (uint16_t)dice32() : 0;
	content->traffic = (uint8_t)dice32();
	content->ttl = (uint8_t)(1 + dice(255));
	content->id = (uint16_t)dice32();
	content->payload_len = dice(3) ? dice(sizeof(content->payload)) : 0;
	for (size_t i = 0; i < content->payload_len; i++)
		content->payload[i] = (uint8_t)rand_r(&seed);
	options_make(content);
	from->acked = content->seq - dice(1000);
	from->end = content->seq + dice(100);
	to->end = content->ack - to->seq_delta + dice(100000);
	to->acked = content->ack - to->seq_delta - dice(100);
	to->stamp_floor = content->stamp && dice(2) ? get32(content->options + content->stamp + 4) -
							      to->stamp_delta + dice(2000) - 1000
						    : dice32();
}

/* What it is to become. */
static void content_expect(struct content *content, const struct hawser_packets_leg *from,
			   const struct hawser_packets_leg *to)
{
	const uint64_t window = ((uint64_t)content->window << from->peer_scale) >> to->own_scale;
	uint8_t *stamp = content->options + content->stamp;

	memcpy(content->source, to->own, sizeof(to->own));
	memcpy(content->destination, to->peer, sizeof(to->peer));
	content->source_port = to->own_port;
	content->destination_port = to->peer_port;
	content->seq += from->seq_delta;
	if (content->flags & ACK)
		content->ack -= to->seq_delta;
	content->window = window > 65535 ? 65535 : (uint16_t)window;
	content->ttl = TTL;
	if (content->stamp) {
		const uint32_t echo = get32(stamp + 4) - to->stamp_delta;

		put32(stamp, get32(stamp) + from->stamp_delta);
		put32(stamp + 4, (int32_t)(echo - to->stamp_floor) < 0 ? to->stamp_floor : echo);
	}
	for (size_t i = 0; content->sack && i < 2 * content->sack_blocks; i++) {
		uint8_t *edge = content->options + content->sack + 4 * i;

		put32(edge, get32(edge) - to->seq_delta);
	}
}

static void key_add(const struct hawser_packets_pair *pair, uint32_t leg)
{
	const struct hawser_packets_value value = {.leg = leg, .generation = pair->generation};
	struct hawser_packets_key key = {.source_port = pair->legs[leg].peer_port,
					 .destination_port = pair->legs[leg].own_port,
					 .family = pair->family};

	memcpy(key.source, pair->legs[leg].peer, sizeof(key.source));
	memcpy(key.destination, pair->legs[leg].own, sizeof(key.destination));
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(skeleton->maps.keys), &key, &value, BPF_ANY), 0);
}

static void pair_store(const struct hawser_packets_pair *pair)
{
	const uint32_t slot = 0;

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(skeleton->maps.pairs), &slot, pair, BPF_ANY), 0);
}

static void pair_load(struct hawser_packets_pair *pair)
{
	const uint32_t slot = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.pairs), &slot, pair), 0);
}

static int program_run(uint8_t *frame, size_t *len)
{
	uint8_t out[PACKET_MAX + 64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)*len,
		    .data_out = out, .data_size_out = sizeof(out), .repeat = 1);

	assert_int_equal(
		bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.hawser_packets), &opts), 0);
	*len = opts.data_size_out;
	memcpy(frame, out, *len);
	return (int)opts.retval;
}

static void pair_make(struct hawser_packets_pair *pair, bool ipv6, enum hawser_packets_state state)
{
	*pair = (struct hawser_packets_pair){.word = state,
					     .generation = 7,
					     .family = ipv6 ? HAWSER_PACKETS_IPV6
							    : HAWSER_PACKETS_IPV4};
	leg_make(&pair->legs[0], ipv6);
	leg_make(&pair->legs[1], ipv6);
	pair_store(pair);
	key_add(pair, 0);
	key_add(pair, 1);
}

static void show(const char *what, const uint8_t *frame, size_t len)
{
	printf("%s (%zu):", what, len);
	for (size_t i = 0; i < len && i < 120; i++)
		printf(" %02x", frame[i]);
	printf("\n");
}

static void case_run(unsigned int number)
{
	const bool ipv6 = dice(2);
	const uint32_t leg = dice(2);
	struct hawser_packets_pair pair;
	struct content content;
	uint8_t got[PACKET_MAX + 64];
	uint8_t want[PACKET_MAX];
	size_t got_len;
	size_t want_len;
	int result;
	bool spoilt = dice(8) == 0;

	seed = number;
	pair_make(&pair, ipv6, HAWSER_PACKETS_TAKEN);
	content_make(&content, &pair.legs[leg], &pair.legs[!leg], ipv6);
	pair_store(&pair);
	got_len = frame_make(&content, got);
	/* As cards fill up what is short. */
	if (got_len < FRAME_MIN && dice(2))
		got_len = FRAME_MIN;
	/* What the wire has spoilt must not be made good. */
	if (spoilt)
		got[ETH_HLEN + (ipv6 ? 40 : 20) + 17] ^= 1U << dice(8);
	result = program_run(got, &got_len);
	content_expect(&content, &pair.legs[leg], &pair.legs[!leg]);
	want_len = frame_make(&content, want);
	if (spoilt && memcmp(got, want, want_len) != 0) {
		/* All but the checksum. */
		size_t at = ETH_HLEN + (ipv6 ? 40 : 20) + 16;

		memcpy(got + at, want + at, 2);
	} else {
		assert_false(spoilt);
	}
	if (result != REDIRECT || got_len != want_len || memcmp(got, want, want_len) != 0) {
		printf("case %u: result %d\n", number, result);
		show("got ", got, got_len);
		show("want", want, want_len);
		fail();
	}
}

static void skip_if_refused(void)
{
	if (!refused)
		return;
	print_message("SKIP: %s\n", refused);
	skip();
}

static void every_layout_is_rewritten(void **state)
{
	const char *only = getenv("ONLY");

	(void)state;
	skip_if_refused();
	if (only) {
		seed = (unsigned int)strtoul(only, NULL, 10);
		case_run(seed);
		return;
	}
	for (unsigned int i = 1; i <= CASES; i++) {
		seed = i;
		case_run(i);
	}
}

/* A packet of the pair as it is; what becomes of it, and of the pair. */
static int offer(struct hawser_packets_pair *pair, uint32_t leg, const struct content *content)
{
	uint8_t frame[PACKET_MAX + 64];
	size_t len = frame_make(content, frame);
	int result;

	pair_store(pair);
	(void)leg;
	result = program_run(frame, &len);
	pair_load(pair);
	return result;
}

static void quiet_make(struct hawser_packets_pair *pair, struct content *content)
{
	seed = 4711;
	pair_make(pair, false, HAWSER_PACKETS_ARMED);
	content_make(content, &pair->legs[0], &pair->legs[1], false);
	content->flags = ACK | PSH;
	content->options_len = 12;
	content->sack = 0;
	memcpy(content->options, "\1\1\10\12\0\0\0\2\0\0\0\1", 12);
	content->payload_len = 100;
	for (int i = 0; i < 2; i++) {
		struct hawser_packets_leg *at = &pair->legs[i];

		at->copied = i ? 5000 : content->seq;
		at->written = i ? 9000 : content->ack;
		at->end = at->copied;
		at->acked = at->copied;
		at->own_acked = at->written;
		at->stamp = 1;
	}
	pair->legs[0].seq_delta = 9000 - content->seq;
	pair->legs[1].seq_delta = content->ack - 5000;
	pair->armed_ns = UINT64_MAX / 2;
}

static uint32_t state_of(const struct hawser_packets_pair *pair)
{
	return (uint32_t)(pair->word & HAWSER_PACKETS_STATE);
}

static void only_a_quiet_pair_is_taken(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	/* armed_ns in the future counts as old: the difference is not negative. */
	quiet_make(&pair, &content);
	assert_int_equal(offer(&pair, 0, &content), NEXT);
	assert_int_equal(state_of(&pair), HAWSER_PACKETS_ARMED);
}

#define ASSERT_NOT_TAKEN(change)                                                                   \
	do {                                                                                       \
		quiet_make(&pair, &content);                                                       \
		pair.armed_ns = now_ns();                                                          \
		change;                                                                            \
		assert_int_equal(offer(&pair, 0, &content), NEXT);                                 \
		assert_int_equal(state_of(&pair), HAWSER_PACKETS_ARMED);                           \
		/* It has been counted, so that a taker elsewhere notices. */                      \
		assert_true(pair.word >= HAWSER_PACKETS_ONE);                                      \
	} while (0)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void what_is_owed_keeps_it(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;

	(void)state;
	skip_if_refused();
	quiet_make(&pair, &content);
	pair.armed_ns = now_ns();
	assert_int_equal(offer(&pair, 0, &content), REDIRECT);
	assert_int_equal(state_of(&pair), HAWSER_PACKETS_TAKEN);
	assert_int_equal(pair.legs[0].end, content.seq + 100);

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
	ASSERT_NOT_TAKEN(pair.legs[1].ifindex = 0);
	ASSERT_NOT_TAKEN(pair.legs[0].ifindex = 0);
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
	assert_int_equal(offer(&pair, 0, &content), 2);
	assert_int_equal(pair.legs[1].acked, 5200);
	assert_int_equal(pair.legs[1].bytes, 200);
	assert_int_equal(pair.legs[0].end, content.seq);
}

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
	assert_int_equal(offer(&pair, 0, &content), 2);
	assert_int_equal(pair.legs[1].acked, 5000);
	/* Beyond any window. */
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	content.seq += (1U << 30) + 1;
	assert_int_equal(offer(&pair, 0, &content), 2);
	/* A reset is passed on, but only one in the window is believed. */
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_TAKEN;
	content.flags = RST;
	content.payload_len = 0;
	assert_int_equal(offer(&pair, 0, &content), REDIRECT);
	assert_int_equal(pair.resets, 1);
	content.seq += 1;
	assert_int_equal(offer(&pair, 0, &content), REDIRECT);
	assert_int_equal(pair.resets, 1);
	content.seq -= 2;
	assert_int_equal(offer(&pair, 0, &content), REDIRECT);
	assert_int_equal(pair.resets, 1);
	/* Nor does one in the midst of bytes on their way hit the one that is expected. */
	pair.legs[0].end += 100;
	content.seq += 51;
	assert_int_equal(offer(&pair, 0, &content), REDIRECT);
	assert_int_equal(pair.resets, 1);
	content.seq += 50;
	assert_int_equal(offer(&pair, 0, &content), REDIRECT);
	assert_int_equal(pair.resets, 2);
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
	assert_int_equal(offer(&pair, 0, &content), 2);
	syn_make(&pair, &content);
	content.payload_len = 1;
	assert_int_equal(offer(&pair, 0, &content), 2);

	/* It is over: whoever listens here may have it. */
	syn_make(&pair, &content);
	pair.word = HAWSER_PACKETS_CLOSED;
	assert_int_equal(offer(&pair, 0, &content), NEXT);
	assert_int_equal(state_of(&pair), HAWSER_PACKETS_FREE);
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
	assert_int_equal(offer(&pair, 0, &content), NEXT);
	quiet_make(&pair, &content);
	pair.word = HAWSER_PACKETS_FREE;
	assert_int_equal(offer(&pair, 0, &content), NEXT);
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
	assert_int_equal(offer(&pair, 0, &content), REDIRECT);
	pair.legs[1].mtu--;
	assert_int_equal(offer(&pair, 0, &content), 2);
	assert_int_equal(pair.legs[0].too_big, 1);
}

/* A router says that a packet to the peer of leg 0 with this number was too big. */
static void say_too_big(struct hawser_packets_pair *pair, uint32_t seq, uint16_t mtu)
{
	const struct hawser_packets_leg *leg = &pair->legs[0];
	struct content quoted = {.source_port = leg->own_port,
				 .destination_port = leg->peer_port,
				 .seq = seq,
				 .flags = ACK,
				 .ttl = 1};
	uint8_t frame[PACKET_MAX + 64];
	uint8_t inner[PACKET_MAX];
	size_t len = ETH_HLEN + 20 + 8 + 28;

	memcpy(quoted.source, leg->own, sizeof(quoted.source));
	memcpy(quoted.destination, leg->peer, sizeof(quoted.destination));
	(void)frame_make(&quoted, inner);
	(void)frame_make(&quoted, frame);
	frame[ETH_HLEN + 9] = IPPROTO_ICMP;
	put16(frame + ETH_HLEN + 2, (uint32_t)len - ETH_HLEN);
	memset(frame + ETH_HLEN + 20, 0, 8);
	frame[ETH_HLEN + 20] = 3;
	frame[ETH_HLEN + 21] = 4;
	put16(frame + ETH_HLEN + 26, mtu);
	memcpy(frame + ETH_HLEN + 28, inner + ETH_HLEN, 28);
	pair_store(pair);
	/* It goes on to the host, which may have asked for it too. */
	assert_int_equal(program_run(frame, &len), NEXT);
	pair_load(pair);
}

static void routers_are_heeded(void **state)
{
	struct hawser_packets_pair pair;
	struct content content;
	uint32_t delta;

	(void)state;
	skip_if_refused();
	quiet_make(&pair, &content);
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
	assert_int_equal(pair.legs[0].mtu, 552);
	/* Nor of bytes that are not on their way (RFC 5927). */
	pair.legs[0].mtu = 2000;
	say_too_big(&pair, 4999 + delta, 1400);
	say_too_big(&pair, 5300 + delta, 1400);
	assert_int_equal(pair.legs[0].mtu, 2000);
}

static int load(void **state)
{
	const uint64_t used = 1;
	int err;

	(void)state;
	skeleton = packets_bpf__open();
	assert_non_null(skeleton);
	assert_int_equal(bpf_map__set_max_entries(skeleton->maps.keys, 4 * CASES), 0);
	err = packets_bpf__load(skeleton);
	if (err) {
		refused = strerror(-err);
		return 0;
	}
	for (uint32_t i = 0; i < HAWSER_PACKETS_BUCKETS; i++)
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(skeleton->maps.buckets), &i, &used,
						     BPF_ANY),
				 0);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	packets_bpf__destroy(skeleton);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_is_rewritten),
		cmocka_unit_test(only_a_quiet_pair_is_taken),
		cmocka_unit_test(what_is_owed_keeps_it),
		cmocka_unit_test(frozen_drops_and_heeds),
		cmocka_unit_test(what_no_peer_sends_is_dropped),
		cmocka_unit_test(a_new_connection_is_asked_about),
		cmocka_unit_test(an_older_pair_is_not_touched),
		cmocka_unit_test(too_big_for_the_other_leg_is_told),
		cmocka_unit_test(routers_are_heeded),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
