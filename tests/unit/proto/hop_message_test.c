/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of the hop: fixed ones, computed by Python's hmac, and what is not one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "proto/hop_message.h"

static const char head_hex[] =
	"0501c8010000018bcfe5687b101112131415161718191a1b1c1d1e1f04686f6d6503767073"
	"95f20a7312e12c2494542c0b82b488d41e6442a751d8c7352d8d14bfc19a1587"
	"050100030b6578616d706c652e6f726701bb";
static const char clock_hex[] = "01020000018bcfe569c8"
				"0899fb1167fd3ae137cf5ef740292db741e21807249c576419312447a06fd68a";

#define GREETING_BYTES ((size_t)3)
#define AUTH_BYTES     (37 + 32 - 3)

static struct token token = {.name = "home"};
static struct destination destination;
static struct hop_order order;

static size_t unhex(uint8_t *out, size_t size, const char *hex)
{
	size_t len;

	assert_int_equal(sodium_hex2bin(out, size, hex, strlen(hex), NULL, &len, NULL), 0);
	return len;
}

static int setup(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < TOKEN_KEY_BYTES; i++)
		token.key[i] = i;
	order = (struct hop_order){.token = &token,
				   .exit_name = "vps",
				   .destination = &destination,
				   .time_ms = 1700000000123};
	for (uint8_t i = 0; i < HOP_NONCE_BYTES; i++)
		order.nonce[i] = (uint8_t)(0x10 + i);
	return destination_parse("example.org:443", &destination);
}

static void the_head_is_as_documented(void **state)
{
	uint8_t head[HOP_HEAD_MAX], expected[HOP_HEAD_MAX];
	const size_t len = unhex(expected, sizeof(expected), head_hex);

	(void)state;
	assert_int_equal(hop_head_write(head, &order), len);
	assert_memory_equal(head, expected, len);
}

static void the_longest_head_fits(void **state)
{
	static char exit_name[HOP_EXIT_NAME_MAX + 1];
	uint8_t head[HOP_HEAD_MAX];

	(void)state;
	memset(token.name, 'n', TOKEN_NAME_MAX);
	memset(exit_name, 'e', HOP_EXIT_NAME_MAX);
	exit_name[HOP_EXIT_NAME_MAX] = '\0';
	memset(destination.host, 'd', HOST_NAME_MAX_BYTES);
	order.exit_name = exit_name;
	assert_int_equal(hop_head_write(head, &order), HOP_HEAD_MAX);
	memset(token.name, 0, sizeof(token.name));
	memcpy(token.name, "home", 4);
}

static void a_message_is_whole_or_not(void **state)
{
	uint8_t head[HOP_HEAD_MAX];
	const uint8_t *auth = head + GREETING_BYTES;
	struct hop_auth read;
	int known = 0;

	(void)state;
	hop_head_write(head, &order);
	for (size_t len = 0; len <= AUTH_BYTES; len++) {
		uint8_t *block = malloc(len + 1);
		int size;

		memcpy(block, auth, len);
		size = hop_auth_size(block, len);
		free(block);
		assert_true(size == 0 || size == AUTH_BYTES);
		assert_true(size >= known);
		known = size;
	}
	hop_auth_read(auth, AUTH_BYTES, &read);
	assert_int_equal(read.time_ms, order.time_ms);
	assert_memory_equal(read.nonce, order.nonce, HOP_NONCE_BYTES);
	assert_int_equal(read.token_len, 4);
	assert_memory_equal(read.token, "home", 4);
	assert_int_equal(read.exit_name_len, 3);
	assert_memory_equal(read.exit_name, "vps", 3);
}

static void what_is_no_message_is_refused(void **state)
{
	uint8_t head[HOP_HEAD_MAX];
	uint8_t *auth = head + GREETING_BYTES;

	(void)state;
	hop_head_write(head, &order);
	auth[0] = 2;
	assert_int_equal(hop_auth_size(auth, 1), -EINVAL);
	auth[0] = HOP_VERSION;
	auth[25] = 0;
	assert_int_equal(hop_auth_size(auth, 100), -EINVAL);
	auth[25] = TOKEN_NAME_MAX + 1;
	assert_int_equal(hop_auth_size(auth, 100), -EINVAL);
	auth[25] = 4;
	auth[30] = 0;
	assert_int_equal(hop_auth_size(auth, 100), -EINVAL);
}

static void every_bit_is_vouched_for(void **state)
{
	uint8_t head[HOP_HEAD_MAX];
	const size_t len = hop_head_write(head, &order);
	uint8_t *auth = head + GREETING_BYTES;
	uint8_t *request = auth + AUTH_BYTES;
	const size_t request_len = len - GREETING_BYTES - AUTH_BYTES;
	struct hop_auth read;

	(void)state;
	hop_auth_read(auth, AUTH_BYTES, &read);
	assert_true(hop_auth_verify(&read, request, request_len, token.key));
	for (size_t bit = 8 * GREETING_BYTES; bit < 8 * len; bit++) {
		head[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* The lengths of the names are the parser's. */
		if (bit / 8 != 28 && bit / 8 != 33)
			assert_false(hop_auth_verify(&read, request, request_len, token.key));
		head[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_false(hop_auth_verify(&read, request, request_len - 1, token.key));
	token.key[0] ^= 1;
	assert_false(hop_auth_verify(&read, request, request_len, token.key));
}

/* Feeds what the exit sends in pieces of the sizes that are asked for; returns the last event. */
static enum hop_event play(struct hop_answers *answers, const uint8_t *in, size_t len,
			   size_t *accepted_at)
{
	enum hop_event event = HOP_EVENT_MORE;
	size_t at = 0;

	hop_answers_init(answers, &order);
	while (event == HOP_EVENT_MORE || event == HOP_EVENT_ACCEPTED) {
		const size_t size = hop_answers_size(answers);
		uint8_t *block;

		assert_in_range(size, 1, HOP_MESSAGE_MAX);
		if (len - at < size)
			return event;
		block = malloc(size);
		memcpy(block, in + at, size);
		event = hop_answers_read(answers, block);
		free(block);
		at += size;
		if (event == HOP_EVENT_ACCEPTED)
			*accepted_at = at;
	}
	return event;
}

static size_t write_answers(uint8_t *out, enum hop_status status, const char *reply_hex)
{
	out[0] = 5;
	out[1] = HOP_METHOD;
	hop_answer_write(out + 2, status, 1700000000456, order.nonce, token.key);
	return 2 + HOP_ANSWER_BYTES + unhex(out + 2 + HOP_ANSWER_BYTES, 300, reply_hex);
}

static void the_answer_is_as_documented(void **state)
{
	uint8_t answer[HOP_ANSWER_BYTES], expected[HOP_ANSWER_BYTES];

	(void)state;
	unhex(expected, sizeof(expected), clock_hex);
	hop_answer_write(answer, HOP_CLOCK, 1700000000456, order.nonce, token.key);
	assert_memory_equal(answer, expected, sizeof(answer));
	hop_answer_write(answer, HOP_REFUSED, 1700000000456, NULL, NULL);
	assert_true(sodium_is_zero(answer + 2, sizeof(answer) - 2));
	assert_int_equal(answer[1], HOP_REFUSED);
}

static void answers_end_in_a_cause(void **state)
{
	static const struct {
		const char *reply;
		enum cause cause;
		const char *bound;
	} cases[] = {
		{"05000001c000020100500000", CAUSE_NONE, "192.0.2.1:80"},
		{"05000004200100000000000000000000000000010050", CAUSE_NONE, "[2001::1]:80"},
		{"050500010000000000000000", CAUSE_REFUSED, "0.0.0.0:0"},
		{"0502000304746573740050", CAUSE_NOT_ALLOWED, "-"},
	};
	char text[ADDRESS_TEXT_MAX];
	struct hop_answers answers;
	uint8_t bytes[400];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t accepted_at = 0;
		size_t len = write_answers(bytes, HOP_ACCEPTED, cases[i].reply);

		assert_int_equal(play(&answers, bytes, len, &accepted_at), HOP_EVENT_REPLIED);
		assert_int_equal(accepted_at, 2 + HOP_ANSWER_BYTES);
		assert_int_equal(answers.cause, cases[i].cause);
		assert_string_equal(address_format(&answers.bound, text), cases[i].bound);
		assert_int_equal(answers.time_ms, 1700000000456);
	}
}

static void an_exit_may_decline(void **state)
{
	struct hop_answers answers;
	uint8_t bytes[400];
	size_t none;

	(void)state;
	for (enum hop_status status = HOP_REFUSED; status < HOP_STATUS_COUNT; status++) {
		size_t len = write_answers(bytes, status, "");

		assert_int_equal(play(&answers, bytes, len, &none), HOP_EVENT_DECLINED);
		assert_int_equal(answers.status, status);
		assert_int_equal(answers.time_ms, status == HOP_REFUSED ? 0 : 1700000000456);
	}
}

/* Nobody but the exit can shift our clock, or make us believe that it is there. */
static void what_is_not_from_the_exit_is_invalid(void **state)
{
	struct hop_answers answers;
	uint8_t bytes[400];
	size_t none;

	(void)state;
	for (enum hop_status status = HOP_ACCEPTED; status < HOP_STATUS_COUNT; status++) {
		size_t len = write_answers(bytes, status, "");

		for (size_t bit = 0; bit < 8 * len; bit++) {
			const size_t at = bit / 8;
			enum hop_event event;

			bytes[at] ^= (uint8_t)(1 << bit % 8);
			event = play(&answers, bytes, len, &none);
			/* A refusal is all that anybody can say, or make of another. */
			if (status != HOP_REFUSED && bytes[3] != HOP_REFUSED)
				assert_int_equal(event, HOP_EVENT_INVALID);
			if (event == HOP_EVENT_DECLINED)
				assert_int_equal(answers.status, HOP_REFUSED);
			bytes[at] ^= (uint8_t)(1 << bit % 8);
		}
	}
	/* An answer to another message. */
	write_answers(bytes, HOP_CLOCK, "");
	order.nonce[0] ^= 1;
	assert_int_equal(play(&answers, bytes, 44, &none), HOP_EVENT_INVALID);
	/* A SOCKS5 server of somebody else. */
	bytes[1] = 0xff;
	assert_int_equal(play(&answers, bytes, 2, &none), HOP_EVENT_INVALID);
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_head_is_as_documented),
		TEST(the_longest_head_fits),
		TEST(a_message_is_whole_or_not),
		TEST(what_is_no_message_is_refused),
		TEST(every_bit_is_vouched_for),
		TEST(the_answer_is_as_documented),
		TEST(answers_end_in_a_cause),
		TEST(an_exit_may_decline),
		TEST(what_is_not_from_the_exit_is_invalid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
