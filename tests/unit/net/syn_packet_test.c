/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First packets as the kernel logs them, and what answers them. */
#include "net/syn_packet.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* 10.9.0.2:4660 to 192.0.2.7:80, sequence 0xfffffffe, with an MSS and the two bytes "hi" (Fast
 * Open), whose checksum is left to the network card: it is that of the pseudo header. */
static const uint8_t v4[] = {0x45, 0,	 0,    46,   0x12, 0x34, 0x40, 0,    64,   6,	 0xab, 0xcd,
			     10,   9,	 0,    2,    192,  0,	 2,    7,    0x12, 0x34, 0,    80,
			     0xff, 0xff, 0xff, 0xfe, 0,	   0,	 0,    0,    0x60, 2,	 0xfa, 0xf0,
			     0xcc, 0x32, 0,    0,    2,	   4,	 5,    0xb4, 'h',  'i'};

/* [fd99::2]:4660 to [2001:db8::7]:80, the same without options and bytes, with its checksum. */
static const uint8_t v6[] = {0x60, 0, 0, 0, 0, 20, 6, 64,   0xfd, 0x99, 0,    0,    0,	  0,  0,
			     0,	   0, 0, 0, 0, 0,  0, 0,    2,	  0x20, 1,    13,   0xb8, 0,  0,
			     0,	   0, 0, 0, 0, 0,  0, 0,    0,	  7,	0x12, 0x34, 0,	  80, 0,
			     0,	   0, 1, 0, 0, 0,  0, 0x50, 2,	  0xfa, 0xf0, 0,    0,	  0,  0};

struct bytes {
	uint8_t bytes[SYN_PACKET_MAX];
	struct syn_packet syn;
};

static int parse(struct bytes *packet, const uint8_t *bytes, size_t len)
{
	memcpy(packet->bytes, bytes, len);
	return syn_packet_parse(&packet->syn, packet->bytes, len);
}

/* By RFC 1071, another way than the code's: of all 16-bit words, with the carry added at once. */
static uint16_t ones_sum(uint16_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const uint32_t word = (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
		const uint32_t more = sum + word;

		sum = (uint16_t)(more + (more >> 16));
	}
	return sum;
}

/* 0xffff: it is right. */
static uint16_t tcp_sum(const uint8_t *ip, size_t header, size_t len)
{
	const uint8_t rest[] = {0, 6, (uint8_t)((len - header) >> 8), (uint8_t)(len - header)};
	uint16_t sum = ones_sum(0, rest, sizeof(rest));

	sum = header == 20 ? ones_sum(sum, ip + 12, 8) : ones_sum(sum, ip + 8, 32);
	return ones_sum(sum, ip + header, len - header);
}

static void seal(uint8_t *ip, size_t header, size_t len)
{
	uint16_t sum;

	memset(ip + header + 16, 0, 2);
	sum = (uint16_t)~tcp_sum(ip, header, len);
	ip[header + 16] = (uint8_t)(sum >> 8);
	ip[header + 17] = (uint8_t)sum;
}

static void ends_of_both_families(void **state)
{
	struct bytes packet;
	uint8_t sealed[sizeof(v6)];
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_int_equal(parse(&packet, v4, sizeof(v4)), 0);
	assert_string_equal(address_format(&packet.syn.from, text), "10.9.0.2:4660");
	assert_string_equal(address_format(&packet.syn.to, text), "192.0.2.7:80");
	memcpy(sealed, v6, sizeof(v6));
	seal(sealed, 40, sizeof(sealed));
	assert_int_equal(parse(&packet, sealed, sizeof(sealed)), 0);
	assert_string_equal(address_format(&packet.syn.from, text), "[fd99::2]:4660");
	assert_string_equal(address_format(&packet.syn.to, text), "[2001:db8::7]:80");
	assert_memory_equal(packet.bytes, sealed, sizeof(sealed));
}

static void a_checksum_left_to_the_card_is_filled_in(void **state)
{
	struct bytes packet;

	(void)state;
	assert_int_not_equal(tcp_sum(v4, 20, sizeof(v4)), 0xffff);
	assert_int_equal(parse(&packet, v4, sizeof(v4)), 0);
	assert_int_equal(tcp_sum(packet.bytes, 20, sizeof(v4)), 0xffff);
	/* And nothing else is changed. */
	memcpy(packet.bytes + 36, v4 + 36, 2);
	assert_memory_equal(packet.bytes, v4, sizeof(v4));
}

static void what_was_damaged_is_refused(void **state)
{
	struct bytes packet;
	uint8_t bad[sizeof(v6)];

	(void)state;
	memcpy(bad, v6, sizeof(v6));
	seal(bad, 40, sizeof(bad));
	for (size_t i = 40; i < sizeof(bad); i++) {
		int err;

		if (i == 52 || i == 53)
			continue; /* length and flags: it is no SYN then, or not whole */
		bad[i] ^= 0x10;
		err = parse(&packet, bad, sizeof(bad));
		bad[i] ^= 0x10;
		assert_int_equal(err, -EBADMSG);
	}
}

static void what_is_no_first_packet_is_refused(void **state)
{
	static const uint8_t flags[] = {0x12, 0x10, 4, 0, 3, 6};
	struct bytes packet;
	uint8_t other[sizeof(v4)];

	(void)state;
	for (size_t i = 0; i < sizeof(flags); i++) {
		memcpy(other, v4, sizeof(v4));
		other[33] = flags[i];
		assert_int_equal(parse(&packet, other, sizeof(other)), -EINVAL);
	}
	memcpy(other, v4, sizeof(v4));
	other[9] = 17;
	assert_int_equal(parse(&packet, other, sizeof(other)), -EINVAL);
	memcpy(other, v4, sizeof(v4));
	other[6] = 0x20; /* a fragment */
	assert_int_equal(parse(&packet, other, sizeof(other)), -EINVAL);
	memcpy(other, v4, sizeof(v4));
	other[32] = 0xf0; /* TCP's header is longer than the packet */
	assert_int_equal(parse(&packet, other, sizeof(other)), -EINVAL);
}

static void no_length_is_read_beyond(void **state)
{
	struct bytes packet;

	(void)state;
	for (size_t len = 0; len < sizeof(v4); len++)
		assert_int_equal(parse(&packet, v4, len), -EINVAL);
	for (size_t len = 0; len < sizeof(v6); len++)
		assert_int_equal(parse(&packet, v6, len), -EINVAL);
}

static void a_reset_acknowledges_all_of_it(void **state)
{
	struct bytes packet;
	uint8_t out[SYN_ANSWER_MAX];
	uint8_t sealed[sizeof(v6)];

	(void)state;
	assert_int_equal(parse(&packet, v4, sizeof(v4)), 0);
	assert_int_equal(syn_packet_reset(&packet.syn, out), 40);
	assert_int_equal(tcp_sum(out, 20, 40), 0xffff);
	assert_memory_equal(out + 12, "\xc0\x00\x02\x07\x0a\x09\x00\x02", 8);
	assert_memory_equal(out + 20, "\0\x50\x12\x34", 4);
	/* 0xfffffffe, the SYN, and two bytes. */
	assert_memory_equal(out + 24, "\0\0\0\0\0\0\0\1", 8);
	assert_int_equal(out[33], 0x14);
	memcpy(sealed, v6, sizeof(v6));
	seal(sealed, 40, sizeof(sealed));
	assert_int_equal(parse(&packet, sealed, sizeof(sealed)), 0);
	assert_int_equal(syn_packet_reset(&packet.syn, out), 60);
	assert_int_equal(tcp_sum(out, 40, 60), 0xffff);
	assert_memory_equal(out + 8, v6 + 24, 16);
	assert_memory_equal(out + 24, v6 + 8, 16);
	assert_memory_equal(out + 44, "\0\0\0\0\0\0\0\2", 8);
}

static void an_error_quotes_the_headers(void **state)
{
	struct bytes packet;
	uint8_t out[SYN_ANSWER_MAX];
	uint8_t longer[1200];
	size_t len;

	(void)state;
	assert_int_equal(parse(&packet, v4, sizeof(v4)), 0);
	len = syn_packet_unreachable(&packet.syn, SYN_NO_HOST, out);
	assert_int_equal(len, 8 + sizeof(v4));
	assert_memory_equal(out, "\3\1", 2);
	assert_memory_equal(out + 8, packet.bytes, sizeof(v4));
	assert_int_equal(ones_sum(0, out, len), 0xffff);
	len = syn_packet_unreachable(&packet.syn, SYN_NO_ROUTE, out);
	assert_memory_equal(out, "\3\0", 2);
	assert_int_equal(ones_sum(0, out, len), 0xffff);
	/* With as much as Fast Open brings. */
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, v6, sizeof(v6));
	longer[4] = (sizeof(longer) - 40) >> 8;
	longer[5] = (uint8_t)(sizeof(longer) - 40);
	seal(longer, 40, sizeof(longer));
	assert_int_equal(parse(&packet, longer, sizeof(longer)), 0);
	len = syn_packet_unreachable(&packet.syn, SYN_PROHIBITED, out);
	assert_in_range(len, 8 + 60, SYN_ANSWER_MAX);
	assert_memory_equal(out, "\1\1", 2);
	assert_memory_equal(out + 8, longer, len - 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_of_both_families),
		cmocka_unit_test(a_checksum_left_to_the_card_is_filled_in),
		cmocka_unit_test(what_was_damaged_is_refused),
		cmocka_unit_test(what_is_no_first_packet_is_refused),
		cmocka_unit_test(no_length_is_read_beyond),
		cmocka_unit_test(a_reset_acknowledges_all_of_it),
		cmocka_unit_test(an_error_quotes_the_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
