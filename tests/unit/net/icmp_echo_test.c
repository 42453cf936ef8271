/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Echo requests as others send them, and what counts as an answer. */
#include "net/icmp_echo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define ID 0x1234

static void a_request_of_each_family(void **state)
{
	static const uint8_t v4[] = {8, 0, 0xe5, 0xc4, 0x12, 0x34, 0, 7};
	static const uint8_t v6[] = {128, 0, 0, 0, 0x12, 0x34, 0, 7};
	/* Whose sum has to be carried twice. */
	static const uint8_t carried[] = {8, 0, 0xf7, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct icmp_echo echo = icmp_echo_request(AF_INET, ID, 7);

	(void)state;
	assert_memory_equal(&echo, v4, sizeof(v4));
	echo = icmp_echo_request(AF_INET6, ID, 7);
	assert_memory_equal(&echo, v6, sizeof(v6));
	echo = icmp_echo_request(AF_INET, 0xffff, 0xffff);
	assert_memory_equal(&echo, carried, sizeof(carried));
}

static void an_answer_behind_an_ip_header(void **state)
{
	/* With four bytes of options, and without. */
	uint8_t packet[32] = {0x46, [24] = 0, 0, 0xff, 0xff, 0x12, 0x34, 0x01, 0x02};
	uint16_t sequence = 0;

	(void)state;
	assert_true(icmp_echo_is_answer(AF_INET, packet, 32, ID, &sequence));
	assert_int_equal(sequence, 0x0102);
	assert_false(icmp_echo_is_answer(AF_INET, packet, 31, ID, &sequence));
	assert_false(icmp_echo_is_answer(AF_INET, packet, 0, ID, &sequence));
	packet[0] = 0x45;
	assert_false(icmp_echo_is_answer(AF_INET, packet, 32, ID, &sequence));
	memmove(packet + 20, packet + 24, 8);
	assert_true(icmp_echo_is_answer(AF_INET, packet, 28, ID, &sequence));
}

static void an_answer_of_ipv6(void **state)
{
	uint8_t packet[8] = {129, 0, 0xff, 0xff, 0x12, 0x34, 0, 9};
	uint16_t sequence = 0;

	(void)state;
	assert_true(icmp_echo_is_answer(AF_INET6, packet, 8, ID, &sequence));
	assert_int_equal(sequence, 9);
	assert_false(icmp_echo_is_answer(AF_INET6, packet, 7, ID, &sequence));
}

static void not_an_answer_to_us(void **state)
{
	uint8_t packet[8] = {129, 0, 0, 0, 0x12, 0x34, 0, 9};
	uint16_t sequence = 77;

	(void)state;
	assert_false(icmp_echo_is_answer(AF_INET6, packet, 8, ID + 1, &sequence));
	packet[0] = 128;
	assert_false(icmp_echo_is_answer(AF_INET6, packet, 8, ID, &sequence));
	assert_int_equal(sequence, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_of_each_family),
		cmocka_unit_test(an_answer_behind_an_ip_header),
		cmocka_unit_test(an_answer_of_ipv6),
		cmocka_unit_test(not_an_answer_to_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
