/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Only what the dispatcher does; each protocol has its own test. */
#include "dialogue.h"

#include "proto/handshake_private.h"

static void the_first_byte_tells_the_protocol(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		uint8_t first = (uint8_t)byte;
		struct dialogue_end end = dialogue_play(ACCESS_OPEN, &first, 1, 1, 1);
		enum protocol expected = byte == 5			? PROTOCOL_SOCKS5
					 : byte == 4			? PROTOCOL_SOCKS4
					 : (byte >= 'A' && byte <= 'Z') ? PROTOCOL_HTTP
									: PROTOCOL_NONE;

		assert_int_equal(end.handshake.protocol, expected);
		assert_int_equal(end.out.len, 0);
		if (expected == PROTOCOL_NONE)
			dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
		else
			assert_int_equal(end.result, PARSE_MORE);
	}
}

static void no_bytes_are_no_beginning(void **state)
{
	struct dialogue_end end = dialogue_play(ACCESS_OPEN, "", 0, 0, 1);

	(void)state;
	assert_int_equal(end.result, PARSE_MORE);
	assert_int_equal(end.handshake.protocol, PROTOCOL_NONE);
	assert_int_equal(end.payload, 0);
}

static void a_silent_client_is_told_nothing(void **state)
{
	static const enum protocol silent[] = {PROTOCOL_NONE, PROTOCOL_FORWARD,
					       PROTOCOL_TRANSPARENT};

	(void)state;
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		struct handshake_out out = {.len = 0};
		struct handshake handshake;

		handshake_init(&handshake, ACCESS_OPEN, &auth_judge, &dialogue_users);
		handshake.protocol = silent[i];
		for (int cause = 0; cause < CAUSE_COUNT; cause++)
			handshake_reply(&handshake, (enum cause)cause, NULL, &out);
		assert_int_equal(out.len, 0);
	}
}

static void protocols_have_names(void **state)
{
	static const char *const names[PROTOCOL_COUNT] = {
		[PROTOCOL_NONE] = "none",
		[PROTOCOL_SOCKS5] = "socks5",
		[PROTOCOL_SOCKS4] = "socks4",
		[PROTOCOL_SOCKS4A] = "socks4a",
		[PROTOCOL_HTTP_CONNECT] = "http-connect",
		[PROTOCOL_HTTP] = "http",
		[PROTOCOL_FORWARD] = "forward",
		[PROTOCOL_TRANSPARENT] = "transparent",
	};

	(void)state;
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		assert_string_equal(protocol_name((enum protocol)i), names[i]);
}

static void answers_are_appended(void **state)
{
	struct handshake_out out = {.len = 0};

	(void)state;
	handshake_out_append(&out, "ab", 2);
	handshake_out_append(&out, "", 0);
	handshake_out_append(&out, "c", 1);
	assert_int_equal(out.len, 3);
	assert_memory_equal(out.bytes, "abc", 3);
}

static void a_new_handshake_is_empty(void **state)
{
	struct handshake handshake;

	(void)state;
	memset(&handshake, 0xaa, sizeof(handshake));
	handshake_init(&handshake, ACCESS_PASSWORD, &auth_judge, &dialogue_users);
	assert_int_equal(handshake.access, ACCESS_PASSWORD);
	assert_ptr_equal(handshake.users, &dialogue_users);
	assert_int_equal(handshake.protocol, PROTOCOL_NONE);
	assert_int_equal(handshake.cause, CAUSE_NONE);
	assert_null(handshake.head);
	assert_int_equal(handshake.head_len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_byte_tells_the_protocol),
		cmocka_unit_test(no_bytes_are_no_beginning),
		cmocka_unit_test(a_silent_client_is_told_nothing),
		cmocka_unit_test(protocols_have_names),
		cmocka_unit_test(answers_are_appended),
		cmocka_unit_test(a_new_handshake_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
