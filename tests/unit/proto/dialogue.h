/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plays a client's bytes to a handshake the way the worker does, cut in every possible place. */
#ifndef HAWSER_TEST_DIALOGUE_H
#define HAWSER_TEST_DIALOGUE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/judge.h"
#include "auth/users.h"
#include "proto/handshake.h"

#define UNUSED __attribute__((unused))

/* What came of it. Free with dialogue_free(). */
struct dialogue_end {
	enum parse result;
	struct handshake handshake;
	struct handshake_out out;
	size_t payload; /* bytes of input that were not consumed */
};

static struct user dialogue_user[] = {
	{.name = "alice", .password = "secret"},
	{.name = "bob", .password = "hunter2"},
};
static const struct users dialogue_users = {dialogue_user, 2};

/* Feeds `first` bytes, then `then` at a time. Each call sees its input at an odd address and at the
 * end of a block, for the sanitizer to guard both. */
UNUSED static struct dialogue_end dialogue_play(enum access access, const void *bytes, size_t len,
						size_t first, size_t then)
{
	struct dialogue_end end = {.result = PARSE_MORE};
	size_t start = 0, stop = first;

	handshake_init(&end.handshake, access, &auth_judge, &dialogue_users);
	for (;;) {
		size_t consumed = SIZE_MAX;
		size_t window = stop - start;
		uint8_t *block = malloc(1 + window);

		assert_non_null(block);
		memcpy(block + 1, (const uint8_t *)bytes + start, window);
		end.result = handshake_step(&end.handshake, block + 1, window, &consumed, &end.out);
		free(block);
		assert_true(consumed <= window);
		start += consumed;
		end.payload = len - start;
		if (end.result != PARSE_MORE || stop == len)
			return end;
		assert_true(stop - start < HANDSHAKE_IN_MAX); /* or the worker would be stuck */
		stop = len - stop < then ? len : stop + then;
	}
}

UNUSED static void dialogue_free(struct dialogue_end *end)
{
	free(end->handshake.head);
	end->handshake.head = NULL;
}

static void dialogue_assert_same(const struct dialogue_end *a, const struct dialogue_end *b)
{
	assert_int_equal(a->result, b->result);
	assert_int_equal(a->handshake.cause, b->handshake.cause);
	assert_int_equal(a->handshake.protocol, b->handshake.protocol);
	assert_int_equal(a->out.len, b->out.len);
	assert_memory_equal(a->out.bytes, b->out.bytes, a->out.len);
	assert_int_equal(a->handshake.head_len, b->handshake.head_len);
	if (a->handshake.head_len > 0)
		assert_memory_equal(a->handshake.head, b->handshake.head, a->handshake.head_len);
	if (a->result == PARSE_BAD)
		return; /* then nobody needs the destination and the payload */
	assert_int_equal(a->payload, b->payload);
	assert_memory_equal(&a->handshake.destination, &b->handshake.destination,
			    sizeof(a->handshake.destination));
}

/* Plays it whole, then byte at a time and in two pieces for every place of the cut; all must come
 * to the same end, which is returned. */
UNUSED static struct dialogue_end dialogue_play_all(enum access access, const void *bytes,
						    size_t len)
{
	struct dialogue_end whole = dialogue_play(access, bytes, len, len, len);
	struct dialogue_end other = dialogue_play(access, bytes, len, 0, 1);

	dialogue_assert_same(&whole, &other);
	dialogue_free(&other);
	for (size_t cut = 0; cut <= len; cut++) {
		other = dialogue_play(access, bytes, len, cut, len);
		dialogue_assert_same(&whole, &other);
		dialogue_free(&other);
	}
	return whole;
}

UNUSED static void dialogue_assert_out(const struct dialogue_end *end, const void *bytes,
				       size_t len)
{
	assert_int_equal(end->out.len, len);
	assert_memory_equal(end->out.bytes, bytes, len);
}

/* An established session: where to, and how many bytes of payload followed. */
UNUSED static void dialogue_assert_done(const struct dialogue_end *end, enum protocol protocol,
					const char *destination, size_t payload)
{
	char text[DESTINATION_TEXT_MAX];

	assert_int_equal(end->result, PARSE_DONE);
	assert_int_equal(end->handshake.protocol, protocol);
	assert_string_equal(destination_format(&end->handshake.destination, text), destination);
	assert_int_equal(end->payload, payload);
}

UNUSED static void dialogue_assert_bad(const struct dialogue_end *end, enum cause cause)
{
	assert_int_equal(end->result, PARSE_BAD);
	assert_int_equal(end->handshake.cause, cause);
	assert_null(end->handshake.head);
}

/* No input but must be survived: mutations of a good message and noise, by a fixed seed. */
UNUSED static void dialogue_fuzz(const void *good, size_t len, unsigned int seed)
{
	static uint8_t bytes[9000];
	size_t ends[PARSE_BAD + 1] = {0};

	srand(seed);
	for (int round = 0; round < 20000; round++) {
		bool mutate = round % 4 != 0;
		size_t size = mutate ? len : (size_t)rand() % 300 + 1;
		struct dialogue_end end;

		for (size_t i = 0; i < size; i++)
			bytes[i] = mutate ? ((const uint8_t *)good)[i] : (uint8_t)rand();
		bytes[0] = *(const uint8_t *)good;
		for (int hits = mutate ? rand() % 4 : 0; hits > 0; hits--)
			bytes[(size_t)rand() % size] = (uint8_t)rand();
		end = dialogue_play((enum access)(rand() % 3), bytes, size,
				    (size_t)rand() % (size + 1), (size_t)rand() % 40 + 1);
		ends[end.result]++;
		if (end.result == PARSE_BAD)
			assert_int_not_equal(end.handshake.cause, CAUSE_NONE);
		dialogue_free(&end);
	}
	/* The fuzzer is worth something only when it gets everywhere. */
	assert_true(ends[PARSE_MORE] > 100 && ends[PARSE_DONE] > 100 && ends[PARSE_BAD] > 100);
}

#endif
