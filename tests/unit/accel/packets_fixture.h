/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program bpf/packets.bpf.c, packets for it, and a model of what is to become of them. */
#ifndef HAWSER_PACKETS_FIXTURE_H
#define HAWSER_PACKETS_FIXTURE_H

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

static inline uint32_t dice(uint32_t sides)
{
	return (((uint32_t)rand_r(&seed) << 15) ^ (uint32_t)rand_r(&seed)) % sides;
}

static inline uint32_t dice32(void)
{
	return (uint32_t)rand_r(&seed) << 30 ^ (uint32_t)rand_r(&seed) << 15 ^
	       (uint32_t)rand_r(&seed);
}

static inline void put32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

static inline uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

static inline void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline uint32_t sum(const uint8_t *bytes, size_t len, uint32_t start)
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
static inline size_t frame_make(const struct content *content, uint8_t *frame)
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
static inline size_t option_unknown(uint8_t *at, size_t room)
{
	const size_t len = 2 + dice(room > 10 ? 8 : (uint32_t)room - 1);

	at[0] = (uint8_t)(100 + dice(100));
	at[1] = (uint8_t)len;
	for (size_t i = 2; i < len; i++)
		at[i] = (uint8_t)dice(256);
	return len;
}

static inline void options_make(struct content *content)
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

static inline void leg_make(struct hawser_packets_leg *leg, bool ipv6)
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
		.seen = 1,
	};
	for (int i = 0; i < (ipv6 ? 4 : 1); i++) {
		leg->peer[i] = dice32();
		leg->own[i] = dice32();
	}
}

/* A packet from a leg's peer, such as a peer may send. */
static inline void content_make(struct content *content, struct hawser_packets_leg *from,
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
	from->edge = content->seq + dice(100000);
	to->end = content->ack - to->seq_delta + dice(100000);
	to->acked = content->ack - to->seq_delta - dice(100);
	to->stamp_floor = content->stamp && dice(2) ? get32(content->options + content->stamp + 4) -
							      to->stamp_delta + dice(2000) - 1000
						    : dice32();
}

/* What it is to become. */
static inline void content_expect(struct content *content, const struct hawser_packets_leg *from,
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

static inline void key_add(const struct hawser_packets_pair *pair, uint32_t leg)
{
	const struct hawser_packets_value value = {.leg = leg, .generation = pair->generation};
	struct hawser_packets_key key = {.source_port = pair->legs[leg].peer_port,
					 .destination_port = pair->legs[leg].own_port,
					 .family = pair->family};

	uint32_t bucket;

	memcpy(key.source, pair->legs[leg].peer, sizeof(key.source));
	memcpy(key.destination, pair->legs[leg].own, sizeof(key.destination));
	bucket = hawser_packets_bucket_of(&key);
	skeleton->bss->buckets[bucket / 64] |= 1ULL << bucket % 64;
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(skeleton->maps.keys), &key, &value, BPF_ANY), 0);
}

static inline void pair_store(const struct hawser_packets_pair *pair)
{
	const uint32_t slot = 0;

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(skeleton->maps.pairs), &slot, pair, BPF_ANY), 0);
}

static inline void pair_load(struct hawser_packets_pair *pair)
{
	const uint32_t slot = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.pairs), &slot, pair), 0);
}

static inline int program_run(uint8_t *frame, size_t *len)
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

static inline void pair_make(struct hawser_packets_pair *pair, bool ipv6,
			     enum hawser_packets_state state)
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

static inline void skip_if_refused(void)
{
	if (!refused)
		return;
	print_message("SKIP: %s\n", refused);
	skip();
}

static inline int load(void **state)
{
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
	return 0;
}

static inline int unload(void **state)
{
	(void)state;
	packets_bpf__destroy(skeleton);
	return 0;
}

/* A packet of the client as it is; what becomes of it, and of the pair. */
static inline int offer(struct hawser_packets_pair *pair, const struct content *content)
{
	uint8_t frame[PACKET_MAX + 64];
	size_t len = frame_make(content, frame);
	int result;

	pair_store(pair);
	result = program_run(frame, &len);
	pair_load(pair);
	return result;
}

static inline void quiet_make_of(struct hawser_packets_pair *pair, struct content *content,
				 bool ipv6)
{
	seed = 4711;
	pair_make(pair, ipv6, HAWSER_PACKETS_ARMED);
	content_make(content, &pair->legs[0], &pair->legs[1], ipv6);
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
		at->edge = at->copied;
		at->own_acked = at->written;
		at->stamp = 1;
	}
	pair->legs[0].seq_delta = 9000 - content->seq;
	pair->legs[1].seq_delta = content->ack - 5000;
	pair->armed_ns = UINT64_MAX / 2;
}

static inline void quiet_make(struct hawser_packets_pair *pair, struct content *content)
{
	quiet_make_of(pair, content, false);
}

static inline uint32_t state_of(const struct hawser_packets_pair *pair)
{
	return (uint32_t)(pair->word & HAWSER_PACKETS_STATE);
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
