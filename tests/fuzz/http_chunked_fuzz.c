/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A chunked body: however it is cut the same comes of it, and what goes on is read as the same
 * body. The input: where to cut, and the bytes. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http_forward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	enum parse result;
	size_t taken;
	uint8_t *payload;
	size_t len;
	struct http_chunked chunked;
};

static struct outcome play(const uint8_t *in, size_t len, size_t first, size_t then)
{
	struct outcome outcome = {.result = PARSE_MORE, .payload = malloc(len + 1)};
	size_t n = first;

	while (outcome.result == PARSE_MORE && outcome.taken < len) {
		const size_t left = len - outcome.taken;
		uint8_t *block;
		size_t consumed, payload;

		n = n < left ? n : left;
		block = malloc(n + 1);
		memcpy(block, in + outcome.taken, n);
		outcome.result = http_chunked_take(&outcome.chunked, block, n, &consumed, &payload);
		assert(payload <= consumed && consumed <= n);
		assert(outcome.result != PARSE_MORE || consumed == n);
		memcpy(outcome.payload + outcome.len, block, payload);
		outcome.len += payload;
		outcome.taken += consumed;
		free(block);
		n = then;
	}
	return outcome;
}

static void outcome_free(struct outcome *outcome)
{
	free(outcome->payload);
	http_chunked_free(&outcome->chunked);
}

/* As the receiver reads it. */
static void check_forwarded(const struct outcome *outcome)
{
	size_t end_len, len = 0;
	uint8_t *end = http_forward_trailers(&outcome->chunked, &end_len);
	uint8_t *bytes = malloc(outcome->len + end_len + 32);
	struct outcome again;

	if (outcome->len > 0) {
		len = (size_t)sprintf((char *)bytes, "%zx\r\n", outcome->len);
		memcpy(bytes + len, outcome->payload, outcome->len);
		len += outcome->len;
		bytes[len++] = '\r';
		bytes[len++] = '\n';
	}
	memcpy(bytes + len, end, end_len);
	again = play(bytes, len + end_len, 7, 5);
	assert(again.result == PARSE_DONE && again.taken == len + end_len);
	assert(again.len == outcome->len &&
	       memcmp(again.payload, outcome->payload, again.len) == 0);
	outcome_free(&again);
	free(bytes);
	free(end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;

	if (size < 2)
		return 0;
	whole = play(data + 2, size - 2, size, size);
	cut = play(data + 2, size - 2, data[0], data[1] + 1);
	assert(whole.result == cut.result);
	if (whole.result != PARSE_BAD) {
		assert(whole.taken == cut.taken && whole.len == cut.len);
		assert(memcmp(whole.payload, cut.payload, whole.len) == 0);
	}
	if (whole.result == PARSE_DONE)
		check_forwarded(&whole);
	outcome_free(&whole);
	outcome_free(&cut);
	return 0;
}
