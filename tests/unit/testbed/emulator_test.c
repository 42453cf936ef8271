/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The link emulator's one direction in a time of our own, and what it makes of super-packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>

#include "testbed/emulator_path.h"
#include "testbed/emulator_settings.h"

#define MS	1000000ULL
#define S	1000000000ULL
#define MSS	1448
#define SEGMENT 1500
/* IPv4, and TCP with timestamps. */
#define HEADERS4  52
#define TCP_BYTES 32

static struct path_settings settings_of(const char *words)
{
	struct link_settings settings;
	char complaint[256] = "";
	char *copy = strdup(words);

	link_settings_init(&settings);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		if (!link_settings_apply(&settings, word, complaint, sizeof(complaint)))
			fail_msg("%s: %s", word, complaint);
	if (!link_settings_complete(&settings, complaint, sizeof(complaint)))
		fail_msg("%s: %s", words, complaint);
	free(copy);
	return settings.paths[DIRECTION_UP];
}

static void begin(struct path *path, const char *words)
{
	struct path_settings settings = settings_of(words);

	path_init(path, 7);
	path_set(path, &settings, 0);
}

static struct packet *plain(uint32_t bytes)
{
	uint8_t frame[sizeof(struct virtio_net_hdr) + 2000] = {0};

	frame[sizeof(struct virtio_net_hdr)] = 0x45;
	return packet_new(frame, sizeof(struct virtio_net_hdr) + bytes);
}

/* Segments of TCP, the last of them 100 bytes shorter, every payload byte telling its place. */
static struct packet *super(bool ipv6, uint32_t segments)
{
	uint8_t frame[PACKET_FRAME_BYTES] = {0};
	uint32_t ip_bytes = ipv6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
	uint32_t payload = segments * MSS - 100;
	uint32_t bytes = ip_bytes + TCP_BYTES + payload;
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = (uint16_t)(ip_bytes + TCP_BYTES),
		.gso_size = MSS,
		.csum_start = (uint16_t)ip_bytes,
		.csum_offset = 16,
	};
	struct tcphdr tcp = {.seq = htonl(UINT32_MAX - 1000),
			     .doff = TCP_BYTES / 4,
			     .psh = 1,
			     .fin = 1,
			     .ack = 1};
	uint8_t *ip = frame + sizeof(vnet);

	memcpy(frame, &vnet, sizeof(vnet));
	if (ipv6) {
		struct ip6_hdr header = {.ip6_plen = htons((uint16_t)(bytes - ip_bytes)),
					 .ip6_nxt = IPPROTO_TCP};

		header.ip6_vfc = 0x60;
		memset(&header.ip6_src, 0xfd, sizeof(header.ip6_src));
		memset(&header.ip6_dst, 0x12, sizeof(header.ip6_dst));
		memcpy(ip, &header, sizeof(header));
	} else {
		struct iphdr header = {.version = 4,
				       .ihl = 5,
				       .tot_len = htons((uint16_t)bytes),
				       .id = htons(65534),
				       .ttl = 64,
				       .protocol = IPPROTO_TCP,
				       .saddr = htonl(0x0a4d0101),
				       .daddr = htonl(0x0a4d0102)};

		memcpy(ip, &header, sizeof(header));
	}
	memcpy(ip + ip_bytes, &tcp, sizeof(tcp));
	for (uint32_t i = 0; i < payload; i++)
		ip[ip_bytes + TCP_BYTES + i] = (uint8_t)(i / 7 + i);
	return packet_new(frame, sizeof(vnet) + bytes);
}

/* Lets time pass until the path is empty or until_ns; returns the segments that came. */
static uint64_t drain(struct path *path, uint64_t until_ns, uint64_t *last_ns)
{
	uint64_t before = path->counters.segments;
	uint64_t next_ns;

	while ((next_ns = path_next_ns(path)) <= until_ns) {
		struct path_train *train;

		while ((train = path_leave(path, next_ns))) {
			assert_true(train->at_ns <= next_ns);
			*last_ns = next_ns;
			path_free_train(path, train);
		}
	}
	return path->counters.segments - before;
}

static void end(struct path *path)
{
	path_destroy(path);
	assert_int_equal(path->held_bytes, 0);
}

static void test_delay(void **state)
{
	struct path path;
	uint64_t last_ns = 0;

	(void)state;
	begin(&path, "delay=20");
	path_enter(&path, plain(100), 5 * MS);
	assert_int_equal(path_next_ns(&path), 25 * MS);
	assert_null(path_leave(&path, 25 * MS - 1));
	assert_int_equal(drain(&path, S, &last_ns), 1);
	assert_int_equal(last_ns, 25 * MS);
	assert_int_equal(path_next_ns(&path), PATH_NEVER);
	end(&path);
}

/* One second of 12 Mbit/s are 1000 full packets, whoever makes them and however they come. */
static void test_rate(void **state)
{
	struct path path;
	uint64_t last_ns = 0;

	(void)state;
	begin(&path, "rate=12 delay=20 queue=1e9");
	for (int i = 0; i < 500; i++)
		path_enter(&path, plain(SEGMENT), 0);
	for (int i = 0; i < 10; i++)
		path_enter(&path, super(false, 40), 0);
	for (int i = 0; i < 100; i++)
		path_enter(&path, plain(SEGMENT), 0);
	assert_int_equal(drain(&path, PATH_NEVER - 1, &last_ns), 1000);
	assert_int_equal(path.counters.bytes, 1000 * SEGMENT - 10 * 100);
	assert_in_range(last_ns, 20 * MS + S - 1000 * S / 1500000 - 1000, 20 * MS + S);
	end(&path);
}

/* Looking rarely does not make the link slower. */
static void test_late_looks(void **state)
{
	struct path path;
	struct path_train *train;
	uint64_t got = 0;

	(void)state;
	begin(&path, "rate=12 queue=1e9");
	for (int i = 0; i < 1000; i++)
		path_enter(&path, plain(SEGMENT), 0);
	for (uint64_t now = 0; now <= S; now += 100 * MS) {
		while ((train = path_leave(&path, now))) {
			got += train->count;
			path_free_train(&path, train);
		}
		assert_int_equal(got, now / MS);
	}
	end(&path);
}

static void test_rate_changes(void **state)
{
	struct path path;
	struct path_settings faster = settings_of("rate=120 queue=1e9");
	uint64_t last_ns = 0;

	(void)state;
	begin(&path, "rate=12 queue=1e9");
	for (int i = 0; i < 1000; i++)
		path_enter(&path, plain(SEGMENT), 0);
	assert_int_equal(drain(&path, 500 * MS, &last_ns), 500);
	path_set(&path, &faster, 500 * MS);
	assert_int_equal(drain(&path, PATH_NEVER - 1, &last_ns), 500);
	assert_int_equal(last_ns, 550 * MS);
	end(&path);
}

static void test_queue_drops_the_tail(void **state)
{
	struct path path;
	uint64_t last_ns = 0;

	(void)state;
	begin(&path, "rate=12 queue=15000");
	path_enter(&path, plain(SEGMENT), 0);
	/* There is room for 9 of it. */
	path_enter(&path, super(false, 40), 0);
	path_enter(&path, plain(SEGMENT), 0);
	assert_int_equal(path.counters.dropped, 32);
	assert_int_equal(path.queued_bytes, 15000);
	assert_int_equal(drain(&path, PATH_NEVER - 1, &last_ns), 10);
	assert_int_equal(last_ns, 10 * MS);
	/* A queue that is too small for one takes one. */
	path.settings.queue_bytes = 1;
	path_enter(&path, plain(SEGMENT), S);
	path_enter(&path, plain(SEGMENT), S);
	assert_int_equal(drain(&path, PATH_NEVER - 1, &last_ns), 1);
	end(&path);
}

/* Packets of super-packets are lost one by one: within four standard deviations of the mean, and in
 * bursts no longer than chance makes them. */
static void test_loss(void **state)
{
	struct path path;
	struct path_train *train;
	uint64_t lost[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(&path, "loss=2");
		for (int sent = 0; sent < 2000; sent++) {
			uint32_t next = 0;

			path_enter(&path, super(false, 40), 0);
			while ((train = path_leave(&path, 0))) {
				assert_true(train->first >= next);
				assert_true(train->first - next <= 6);
				next = train->first + train->count;
				path_free_train(&path, train);
			}
		}
		lost[i] = path.counters.lost;
		assert_int_equal(path.counters.segments + lost[i], 80000);
		assert_in_range(lost[i], 1600 - 160, 1600 + 160);
		end(&path);
	}
	assert_int_equal(lost[0], lost[1]);
}

static void test_jitter_keeps_order_and_mean(void **state)
{
	struct path path;
	struct path_train *train;
	uint64_t least_ns = S;
	uint64_t most_ns = 0;
	double sum_ns = 0;
	uint64_t last_ns = 0;
	int got = 0;

	(void)state;
	begin(&path, "delay=50 jitter=20");
	for (uint64_t now = 0; now < 100 * S; now += MS) {
		path_enter(&path, plain(SEGMENT), now);
		while ((train = path_leave(&path, UINT64_MAX - 1))) {
			uint64_t delay_ns = train->at_ns - now;

			assert_true(train->at_ns >= last_ns);
			last_ns = train->at_ns;
			least_ns = delay_ns < least_ns ? delay_ns : least_ns;
			most_ns = delay_ns > most_ns ? delay_ns : most_ns;
			sum_ns += (double)delay_ns;
			got++;
			path_free_train(&path, train);
		}
	}
	assert_int_equal(got, 100000);
	assert_in_range(least_ns, 30 * MS, 32 * MS);
	assert_in_range(most_ns, 68 * MS, 70 * MS);
	assert_in_range((uint64_t)(sum_ns / got), 48 * MS, 52 * MS);
	end(&path);
}

static void test_shorter_delay_keeps_order(void **state)
{
	struct path path;
	struct path_settings shorter = settings_of("delay=1");
	struct path_train *train;

	(void)state;
	begin(&path, "delay=100");
	path_enter(&path, plain(100), 0);
	path_set(&path, &shorter, 10 * MS);
	path_enter(&path, plain(200), 10 * MS);
	assert_int_equal(path_next_ns(&path), 100 * MS);
	for (uint32_t bytes = 100; bytes <= 200; bytes += 100) {
		train = path_leave(&path, 100 * MS);
		assert_non_null(train);
		assert_int_equal(train->packet->bytes, bytes);
		path_free_train(&path, train);
	}
	end(&path);
}

static void test_blackhole(void **state)
{
	struct path path;
	struct path_settings settings = settings_of("delay=10 blackhole=on");
	uint64_t last_ns = 0;

	(void)state;
	begin(&path, "delay=10");
	path_enter(&path, plain(100), 0);
	path_set(&path, &settings, MS);
	path_enter(&path, plain(100), MS);
	assert_int_equal(drain(&path, S, &last_ns), 0);
	assert_int_equal(path.counters.swallowed, 2);
	settings.blackhole = false;
	path_set(&path, &settings, S);
	path_enter(&path, plain(100), S);
	assert_int_equal(drain(&path, 2 * S, &last_ns), 1);
	end(&path);
}

static uint32_t sum(const uint8_t *data, size_t bytes)
{
	uint32_t result = 0;

	for (size_t i = 0; i < bytes; i += 2)
		result += (uint32_t)data[i] << 8 | data[i + 1];
	while (result >> 16)
		result = (result & 0xffff) + (result >> 16);
	return result;
}

/* A run of segments is what the kernel's own segmentation would have made, and has the payload of
 * its place. */
static void check_run(bool ipv6, uint32_t first, uint32_t count)
{
	struct packet *packet = super(ipv6, 10);
	uint32_t ip_bytes = ipv6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
	uint32_t headers = ip_bytes + TCP_BYTES;
	bool last = first + count == 10;
	uint32_t payload = count * MSS - (last ? 100 : 0);
	struct packet_frame frame;
	struct tcphdr tcp;
	uint8_t pseudo[40] = {0};

	assert_int_equal(packet->segments, 10);
	assert_int_equal(packet_wire_bytes(packet, first, count), count * headers + payload);
	packet_frame(packet, first, count, &frame);
	assert_int_equal(frame.iov_count, 3);
	assert_int_equal(frame.iov[1].iov_len, headers);
	assert_int_equal(frame.iov[2].iov_len, payload);
	assert_memory_equal(frame.iov[2].iov_base, packet->data + headers + (size_t)first * MSS,
			    payload);
	assert_int_equal(frame.vnet.gso_size, count > 1 ? MSS : 0);
	assert_int_equal(frame.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	memcpy(&tcp, frame.headers + ip_bytes, sizeof(tcp));
	assert_int_equal(ntohl(tcp.seq), (uint32_t)(UINT32_MAX - 1000 + first * MSS));
	assert_int_equal(tcp.fin, last);
	assert_int_equal(tcp.psh, last);
	assert_int_equal(tcp.ack, 1);
	if (ipv6) {
		assert_int_equal(frame.headers[4] << 8 | frame.headers[5], TCP_BYTES + payload);
		memcpy(pseudo, frame.headers + 8, 32);
	} else {
		assert_int_equal(frame.headers[2] << 8 | frame.headers[3], headers + payload);
		assert_int_equal(frame.headers[4] << 8 | frame.headers[5],
				 (65534 + first) & 0xffff);
		assert_int_equal(sum(frame.headers, ip_bytes), 0xffff);
		memcpy(pseudo, frame.headers + 12, 8);
	}
	pseudo[33] = IPPROTO_TCP;
	pseudo[34] = (uint8_t)((TCP_BYTES + payload) >> 8);
	pseudo[35] = (uint8_t)(TCP_BYTES + payload);
	assert_int_equal(ntohs(tcp.check), sum(pseudo, sizeof(pseudo)));
	packet_release(packet);
}

static void test_runs_of_segments(void **state)
{
	(void)state;
	for (uint32_t first = 0; first < 10; first++)
		for (uint32_t count = 1; first + count <= 10; count++)
			for (int ipv6 = 0; ipv6 < 2; ipv6++)
				if (count < 10)
					check_run(ipv6, first, count);
}

static void test_whole_packets_are_unchanged(void **state)
{
	struct packet *packet = super(true, 10);
	struct packet_frame frame;

	(void)state;
	packet_frame(packet, 0, 10, &frame);
	assert_int_equal(frame.iov_count, 2);
	assert_memory_equal(&frame.vnet, &packet->vnet, sizeof(frame.vnet));
	assert_ptr_equal(frame.iov[1].iov_base, packet->data);
	assert_int_equal(frame.iov[1].iov_len, packet->bytes);
	packet_release(packet);
}

static void test_malformed_frames(void **state)
{
	uint8_t frame[200] = {0};
	struct virtio_net_hdr vnet = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 10};

	(void)state;
	assert_null(packet_new(frame, 0));
	assert_null(packet_new(frame, sizeof(vnet)));
	for (unsigned offset = 0; offset < 300; offset++) {
		struct packet *packet;

		vnet.csum_start = (uint16_t)offset;
		memcpy(frame, &vnet, sizeof(vnet));
		/* With a TCP header of no bytes, and then of 60, which may end beyond the packet.
		 */
		memset(frame + sizeof(vnet), 0, sizeof(frame) - sizeof(vnet));
		assert_null(packet_new(frame, sizeof(frame)));
		memset(frame + sizeof(vnet), 0xf0, sizeof(frame) - sizeof(vnet));
		packet = packet_new(frame, sizeof(frame));
		assert_int_equal(packet != NULL, offset >= 20 && offset + 60 < 190);
		if (packet)
			packet_release(packet);
	}
}

static void test_settings(void **state)
{
	static const char *const wrong[] = {
		"rate",	     "rate=",	      "rate=0",	       "rate=5Mbit",  "rate=nan",
		"delay=-1",  "loss=101",      "loss=2%",       "queue=0",     "queue=50s",
		"queue=0ms", "blackhole=yes", "carrier-up=on", "rate-left=5", "up=5",
		"=5",	     "-up=5",
	};
	struct link_settings settings;
	char complaint[256];
	struct path_settings path = settings_of("rate-up=8 rate-down=16 delay=100 queue=20ms");

	(void)state;
	assert_true(path.bits_per_s == 8e6);
	assert_int_equal(path.delay_ns, 100 * MS);
	assert_int_equal(path.queue_bytes, 20000);
	/* A round trip of 200 ms, 50 ms, and 16000 bytes. */
	assert_int_equal(settings_of("rate=8 delay=100").queue_bytes, 200000);
	assert_int_equal(settings_of("rate=8").queue_bytes, 50000);
	assert_int_equal(settings_of("rate=0.5").queue_bytes, 16000);
	assert_int_equal(settings_of("rate=8 queue=5000").queue_bytes, 5000);
	assert_true(settings_of("rate=8 rate=none").bits_per_s == 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		link_settings_init(&settings);
		complaint[0] = '\0';
		if (link_settings_apply(&settings, wrong[i], complaint, sizeof(complaint)))
			fail_msg("%s was taken", wrong[i]);
		assert_true(strlen(complaint) > 0);
	}
	link_settings_init(&settings);
	assert_true(link_settings_apply(&settings, "jitter=5", complaint, sizeof(complaint)));
	assert_false(link_settings_complete(&settings, complaint, sizeof(complaint)));
	assert_string_equal(complaint, "jitter is more than delay");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_late_looks),
		cmocka_unit_test(test_rate_changes),
		cmocka_unit_test(test_queue_drops_the_tail),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_jitter_keeps_order_and_mean),
		cmocka_unit_test(test_shorter_delay_keeps_order),
		cmocka_unit_test(test_blackhole),
		cmocka_unit_test(test_runs_of_segments),
		cmocka_unit_test(test_whole_packets_are_unchanged),
		cmocka_unit_test(test_malformed_frames),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
