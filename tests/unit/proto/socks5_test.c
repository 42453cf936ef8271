/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialogue.h"

#include <stdio.h>

#define PLAY(access, literal) dialogue_play_all(access, literal, sizeof(literal) - 1)
#define OUT(end, literal)     dialogue_assert_out(end, literal, sizeof(literal) - 1)

#define GREETING_OPEN	  "\5\1\0"
#define GREETING_PASSWORD "\5\1\2"
#define GREETING_BOTH	  "\5\2\0\2"
#define ALICE		  "\1\5alice\6secret"
#define REQUEST_V4	  "\5\1\0\1\xc0\0\2\1\0\x50"
#define FAILED(code)	  "\5" code "\0\1\0\0\0\0\0\0"

static void addresses_and_names_are_taken(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *destination;
	} cases[] = {
#define CASE(literal, destination)                                                                 \
	{GREETING_OPEN literal "PAYLOAD", sizeof(literal) + 9, destination}
		CASE("\5\1\0\1\xc0\0\2\1\0\x50", "192.0.2.1:80"),
		CASE("\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x1\xbb", "[2001:db8::1]:443"),
		CASE("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1\0\x50", "127.0.0.1:80"),
		CASE("\5\1\0\3\13example.com\0\x50", "example.com:80"),
		CASE("\5\1\0\3\1a\xff\xff", "a:65535"),
		CASE("\5\1\0\3\011192.0.2.1\0\x50", "192.0.2.1:80"),
		CASE("\5\1\0\3\03::1\0\x50", "[::1]:80"),
		CASE("\5\1\0\3\020::ffff:127.0.0.1\0\x50", "127.0.0.1:80"),
		CASE("\5\1\xff\1\xc0\0\2\1\0\x50", "192.0.2.1:80"), /* RSV is tolerated */
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dialogue_end end =
			dialogue_play_all(ACCESS_OPEN, cases[i].bytes, cases[i].len);

		dialogue_assert_done(&end, PROTOCOL_SOCKS5, cases[i].destination, 7);
		OUT(&end, "\5\0");
		assert_int_equal(end.handshake.destination.port,
				 address_port(&end.handshake.destination.address));
	}
}

static void the_longest_name_fits(void **state)
{
	char bytes[3 + 5 + 255 + 2] = GREETING_OPEN "\5\1\0\3\xff";
	struct dialogue_end end;

	(void)state;
	memset(bytes + 8, 'a', 255);
	bytes[sizeof(bytes) - 1] = 80;
	end = dialogue_play_all(ACCESS_OPEN, bytes, sizeof(bytes));
	assert_int_equal(end.result, PARSE_DONE);
	assert_int_equal(strlen(end.handshake.destination.host), 255);
	assert_int_equal(end.payload, 0);
}

static void an_open_listener_asks_for_no_password(void **state)
{
	struct dialogue_end end = PLAY(ACCESS_OPEN, GREETING_BOTH REQUEST_V4);

	(void)state;
	dialogue_assert_done(&end, PROTOCOL_SOCKS5, "192.0.2.1:80", 0);
	OUT(&end, "\5\0");
}

static void an_open_listener_takes_any_password(void **state)
{
	struct dialogue_end end =
		PLAY(ACCESS_OPEN, GREETING_PASSWORD "\1\3who\4ever" REQUEST_V4 "PAYLOAD");

	(void)state;
	dialogue_assert_done(&end, PROTOCOL_SOCKS5, "192.0.2.1:80", 7);
	OUT(&end, "\5\2\1\0");
	end = PLAY(ACCESS_OPEN, GREETING_PASSWORD "\1\0\0" REQUEST_V4);
	dialogue_assert_done(&end, PROTOCOL_SOCKS5, "192.0.2.1:80", 0);
}

static void the_right_password_passes(void **state)
{
	struct dialogue_end end = PLAY(ACCESS_PASSWORD, GREETING_BOTH ALICE REQUEST_V4 "PAYLOAD");

	(void)state;
	dialogue_assert_done(&end, PROTOCOL_SOCKS5, "192.0.2.1:80", 7);
	OUT(&end, "\5\2\1\0");
}

static void the_longest_password_is_read(void **state)
{
	char bytes[3 + 2 + 255 + 1 + 255] = GREETING_PASSWORD "\1\xff";
	struct dialogue_end end;

	(void)state;
	memset(bytes + 5, 'a', sizeof(bytes) - 5);
	bytes[5 + 255] = (char)0xff;
	end = dialogue_play_all(ACCESS_PASSWORD, bytes, sizeof(bytes));
	dialogue_assert_bad(&end, CAUSE_AUTH_FAILED);
	OUT(&end, "\5\2\1\1");
	end = dialogue_play_all(ACCESS_PASSWORD, bytes, sizeof(bytes) - 1);
	assert_int_equal(end.result, PARSE_MORE);
	OUT(&end, "\5\2");
}

/* Everything before the request, whole or in pieces, leaves the parser asking for more. */
static void a_beginning_is_not_an_end(void **state)
{
	static const char whole[] = GREETING_PASSWORD ALICE REQUEST_V4;

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		struct dialogue_end end = dialogue_play_all(ACCESS_PASSWORD, whole, len);

		assert_int_equal(end.result, PARSE_MORE);
		assert_int_equal(end.out.len, len < 3 ? 0 : len < 17 ? 2 : 4);
	}
}

static void refusals_are_whole(void **state)
{
	static const struct {
		enum access access;
		enum cause cause;
		const char *bytes;
		size_t len;
		const char *out;
		size_t out_len;
	} cases[] = {
#define CASE(access, cause, in, out) {access, cause, in, sizeof(in) - 1, out, sizeof(out) - 1}
		CASE(ACCESS_DENIED, CAUSE_NOT_ALLOWED, GREETING_BOTH REQUEST_V4, "\5\xff"),
		CASE(ACCESS_PASSWORD, CAUSE_AUTH_FAILED, GREETING_OPEN REQUEST_V4, "\5\xff"),
		CASE(ACCESS_PASSWORD, CAUSE_AUTH_FAILED, "\5\1\1", "\5\xff"),
		CASE(ACCESS_OPEN, CAUSE_AUTH_FAILED, "\5\2\1\xff", "\5\xff"),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, "\5\0", "\5\xff"),
		CASE(ACCESS_PASSWORD, CAUSE_AUTH_FAILED, GREETING_PASSWORD "\1\5alice\6Secret",
		     "\5\2\1\1"),
		CASE(ACCESS_PASSWORD, CAUSE_AUTH_FAILED, GREETING_PASSWORD "\1\5alice\7hunter2",
		     "\5\2\1\1"),
		CASE(ACCESS_PASSWORD, CAUSE_AUTH_FAILED, GREETING_PASSWORD "\1\0\0", "\5\2\1\1"),
		CASE(ACCESS_PASSWORD, CAUSE_BAD_REQUEST, GREETING_PASSWORD "\5\1\0", "\5\2\1\1"),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, GREETING_OPEN "\4\1\0\1\1\2\3\4\0\x50",
		     "\5\0" FAILED("\1")),
		CASE(ACCESS_OPEN, CAUSE_COMMAND_NOT_SUPPORTED,
		     GREETING_OPEN "\5\2\0\1\1\2\3\4\0\x50", "\5\0" FAILED("\7")),
		CASE(ACCESS_OPEN, CAUSE_COMMAND_NOT_SUPPORTED, GREETING_OPEN "\5\3\0\1\0\0\0\0\0\0",
		     "\5\0" FAILED("\7")),
		CASE(ACCESS_PASSWORD, CAUSE_COMMAND_NOT_SUPPORTED,
		     GREETING_PASSWORD ALICE "\5\0\0\1\0\0\0\0\0\0", "\5\2\1\0" FAILED("\7")),
		CASE(ACCESS_OPEN, CAUSE_ADDRESS_TYPE_NOT_SUPPORTED,
		     GREETING_OPEN "\5\1\0\2\1\2\3\4\0\x50", "\5\0" FAILED("\x8")),
		CASE(ACCESS_OPEN, CAUSE_ADDRESS_TYPE_NOT_SUPPORTED,
		     GREETING_OPEN "\5\1\0\0\1\2\3\4\0\x50", "\5\0" FAILED("\x8")),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, GREETING_OPEN "\5\1\0\1\1\2\3\4\0\0",
		     "\5\0" FAILED("\1")),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, GREETING_OPEN "\5\1\0\3\0\0\x50",
		     "\5\0" FAILED("\1")),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, GREETING_OPEN "\5\1\0\3\3a b\0\x50",
		     "\5\0" FAILED("\1")),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, GREETING_OPEN "\5\1\0\3\3a\0b\0\x50",
		     "\5\0" FAILED("\1")),
		CASE(ACCESS_OPEN, CAUSE_BAD_REQUEST, GREETING_OPEN "\5\1\0\3\1a\0\0",
		     "\5\0" FAILED("\1")),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dialogue_end end =
			dialogue_play_all(cases[i].access, cases[i].bytes, cases[i].len);

		dialogue_assert_bad(&end, cases[i].cause);
		dialogue_assert_out(&end, cases[i].out, cases[i].out_len);
	}
}

static void every_cause_has_its_reply(void **state)
{
	struct dialogue_end end = PLAY(ACCESS_OPEN, GREETING_OPEN REQUEST_V4);

	(void)state;
	for (int cause = 0; cause < CAUSE_COUNT; cause++) {
		char expected[] = FAILED("\1");

		expected[1] = (char)cause_info((enum cause)cause)->socks5_reply;
		end.out.len = 0;
		handshake_reply(&end.handshake, (enum cause)cause, NULL, &end.out);
		dialogue_assert_out(&end, expected, sizeof(expected) - 1);
	}
}

static void success_names_the_bound_address(void **state)
{
	struct dialogue_end end = PLAY(ACCESS_OPEN, GREETING_OPEN REQUEST_V4);
	union address bound;

	(void)state;
	end.out.len = 0;
	assert_int_equal(address_parse("192.0.2.9:4660", &bound), 0);
	handshake_reply(&end.handshake, CAUSE_NONE, &bound, &end.out);
	OUT(&end, "\5\0\0\1\xc0\0\2\x9\x12\x34");

	end.out.len = 0;
	assert_int_equal(address_parse("[2001:db8::9]:4660", &bound), 0);
	handshake_reply(&end.handshake, CAUSE_NONE, &bound, &end.out);
	OUT(&end, "\5\0\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x9\x12\x34");

	end.out.len = 0;
	bound = (union address){.sa = {.sa_family = AF_UNSPEC}};
	handshake_reply(&end.handshake, CAUSE_NONE, &bound, &end.out);
	OUT(&end, FAILED("\0"));
}

/* A session that is given up between two messages gets the refusal that fits there. */
static void a_timeout_is_answered_at_its_stage(void **state)
{
	struct dialogue_end end = PLAY(ACCESS_PASSWORD, "\5");

	(void)state;
	handshake_reply(&end.handshake, CAUSE_HANDSHAKE_TIMEOUT, NULL, &end.out);
	OUT(&end, "\5\xff");
	end = PLAY(ACCESS_PASSWORD, GREETING_PASSWORD "\1\5ali");
	handshake_reply(&end.handshake, CAUSE_HANDSHAKE_TIMEOUT, NULL, &end.out);
	OUT(&end, "\5\2\1\1");
	end = PLAY(ACCESS_PASSWORD, GREETING_PASSWORD ALICE "\5\1");
	handshake_reply(&end.handshake, CAUSE_HANDSHAKE_TIMEOUT, NULL, &end.out);
	OUT(&end, "\5\2\1\0" FAILED("\1"));
}

static void garbage_is_survived(void **state)
{
	static const char good[] = GREETING_BOTH ALICE "\5\1\0\3\13example.com\0\x50";
	static const char open[] = GREETING_OPEN REQUEST_V4;

	(void)state;
	dialogue_fuzz(good, sizeof(good) - 1, 5);
	dialogue_fuzz(open, sizeof(open) - 1, 55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_names_are_taken),
		cmocka_unit_test(the_longest_name_fits),
		cmocka_unit_test(an_open_listener_asks_for_no_password),
		cmocka_unit_test(an_open_listener_takes_any_password),
		cmocka_unit_test(the_right_password_passes),
		cmocka_unit_test(the_longest_password_is_read),
		cmocka_unit_test(a_beginning_is_not_an_end),
		cmocka_unit_test(refusals_are_whole),
		cmocka_unit_test(every_cause_has_its_reply),
		cmocka_unit_test(success_names_the_bound_address),
		cmocka_unit_test(a_timeout_is_answered_at_its_stage),
		cmocka_unit_test(garbage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
