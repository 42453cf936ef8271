/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialogue.h"

#define PLAY(access, literal) dialogue_play_all(access, literal, sizeof(literal) - 1)
#define OUT(end, literal)     dialogue_assert_out(end, literal, sizeof(literal) - 1)

#define GRANTED	 "\0\x5a\0\0\0\0\0\0"
#define REJECTED "\0\x5b\0\0\0\0\0\0"
#define V4	 "\4\1\0\x50\xc0\0\2\1"
#define V4A	 "\4\1\0\x50\0\0\0\1"

static void an_address_is_taken(void **state)
{
	struct dialogue_end end = PLAY(ACCESS_OPEN, V4 "\0");

	(void)state;
	dialogue_assert_done(&end, PROTOCOL_SOCKS4, "192.0.2.1:80", 0);
	assert_int_equal(end.out.len, 0);
	end = PLAY(ACCESS_OPEN, V4 "somebody\0PAYLOAD");
	dialogue_assert_done(&end, PROTOCOL_SOCKS4, "192.0.2.1:80", 7);
	end = PLAY(ACCESS_OPEN, "\4\1\xff\xff\0\0\1\0\0name\0");
	dialogue_assert_done(&end, PROTOCOL_SOCKS4, "0.0.1.0:65535", 5);
}

static void a_name_is_taken(void **state)
{
	struct dialogue_end end = PLAY(ACCESS_OPEN, V4A "\0example.com\0");

	(void)state;
	dialogue_assert_done(&end, PROTOCOL_SOCKS4A, "example.com:80", 0);
	assert_int_equal(end.out.len, 0);
	end = PLAY(ACCESS_OPEN, V4A "somebody\0example.com\0PAYLOAD");
	dialogue_assert_done(&end, PROTOCOL_SOCKS4A, "example.com:80", 7);
	end = PLAY(ACCESS_OPEN, "\4\1\0\x50\0\0\0\xff\0"
				"127.0.0.1\0");
	dialogue_assert_done(&end, PROTOCOL_SOCKS4A, "127.0.0.1:80", 0);
	end = PLAY(ACCESS_OPEN, V4A "\0::1\0");
	dialogue_assert_done(&end, PROTOCOL_SOCKS4A, "[::1]:80", 0);
}

static void a_beginning_is_not_an_end(void **state)
{
	static const char whole[] = V4A "somebody\0example.com";

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		struct dialogue_end end = dialogue_play_all(ACCESS_OPEN, whole, len);

		assert_int_equal(end.result, PARSE_MORE);
		assert_int_equal(end.out.len, 0);
		assert_int_equal(end.payload, len);
	}
}

/* The fixed part, a user id and a name of these lengths, played with every cut. */
static struct dialogue_end play_strings(size_t user_len, size_t name_len)
{
	char bytes[8 + 300 + 300] = V4A;
	size_t len = 8;

	memset(bytes + len, 'u', user_len);
	len += user_len + 1;
	memset(bytes + len, 'n', name_len);
	len += name_len + 1;
	return dialogue_play_all(ACCESS_OPEN, bytes, len);
}

static void strings_are_bounded(void **state)
{
	struct dialogue_end end = play_strings(255, 255);

	(void)state;
	assert_int_equal(end.result, PARSE_DONE);
	assert_int_equal(strlen(end.handshake.destination.host), 255);
	assert_int_equal(end.payload, 0);
	end = play_strings(256, 1);
	dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
	OUT(&end, REJECTED);
	end = play_strings(1, 256);
	dialogue_assert_bad(&end, CAUSE_BAD_REQUEST);
	OUT(&end, REJECTED);
}

static void refusals_are_whole(void **state)
{
	static const struct {
		enum access access;
		enum cause cause;
		const char *bytes;
		size_t len;
	} cases[] = {
#define CASE(access, cause, in) {access, cause, in, sizeof(in) - 1}
		CASE(ACCESS_PASSWORD, CAUSE_AUTH_FAILED, V4 "alice\0"),
		CASE(ACCESS_PASSWORD, CAUSE_AUTH_FAILED, V4A "alice\0example.com\0"),
		CASE(ACCESS_DENIED, CAUSE_NOT_ALLOWED, V4 "\0"),
		CASE(ACCESS_OPEN, CAUSE_COMMAND_NOT_SUPPORTED, "\4\2\0\x50\1\2\3\4\0"),
		CASE(ACCESS_OPEN, CAUSE_COMMAND_NOT_SUPPORTED, "\4\0\0\x50\1\2\3\4\0"),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, "\4\1\0\0\1\2\3\4\0"),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, "\4\1\0\0\0\0\0\1\0example.com\0"),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, V4A "\0\0"),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, V4A "\0exa mple\0"),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST,
		     V4A "\0"
			 "0x7f.1\0"),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dialogue_end end =
			dialogue_play_all(cases[i].access, cases[i].bytes, cases[i].len);

		dialogue_assert_bad(&end, cases[i].cause);
		OUT(&end, REJECTED);
	}
}

static void every_cause_has_its_reply(void **state)
{
	static const char *const requests[] = {V4 "\0", V4A "\0a"};
	static const size_t lens[] = {9, 11};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct dialogue_end end = dialogue_play_all(ACCESS_OPEN, requests[i], lens[i]);

		assert_int_equal(end.result, PARSE_DONE);
		for (int cause = 0; cause < CAUSE_COUNT; cause++) {
			end.out.len = 0;
			handshake_reply(&end.handshake, (enum cause)cause, NULL, &end.out);
			if (cause == CAUSE_NONE)
				OUT(&end, GRANTED);
			else
				OUT(&end, REJECTED);
		}
	}
}

static void success_names_the_bound_address(void **state)
{
	struct dialogue_end end = PLAY(ACCESS_OPEN, V4 "\0");
	union address bound;

	(void)state;
	assert_int_equal(address_parse("192.0.2.9:4660", &bound), 0);
	handshake_reply(&end.handshake, CAUSE_NONE, &bound, &end.out);
	OUT(&end, "\0\x5a\x12\x34\xc0\0\2\x9");

	end.out.len = 0;
	assert_int_equal(address_parse("[2001:db8::9]:4660", &bound), 0);
	handshake_reply(&end.handshake, CAUSE_NONE, &bound, &end.out);
	OUT(&end, GRANTED);
}

static void garbage_is_survived(void **state)
{
	static const char good[] = V4A "somebody\0example.com";

	(void)state;
	dialogue_fuzz(good, sizeof(good), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_taken),
		cmocka_unit_test(a_name_is_taken),
		cmocka_unit_test(a_beginning_is_not_an_end),
		cmocka_unit_test(strings_are_bounded),
		cmocka_unit_test(refusals_are_whole),
		cmocka_unit_test(every_cause_has_its_reply),
		cmocka_unit_test(success_names_the_bound_address),
		cmocka_unit_test(garbage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
