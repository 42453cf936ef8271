/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an exit reads: greeting, authentication, request. As nobody guesses a MAC, every second
 * input is signed first. The input: one byte that says how, one where to cut, the messages. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "auth/gate.h"
#include "auth/judge.h"
#include "auth/users.h"
#include "base/clock.h"
#include "proto/handshake.h"
#include "shared/token_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define GREETING_BYTES 3
#define SIGN	       1
#define REPLAY	       2
#define CUT_ALL	       4

static struct gate gate;
static struct token token = {.name = "home", .key = {1, 2, 3}, .sessions_max = 2};
static uint64_t nonce;

static void setup(void)
{
	if (gate.tokens.count > 0)
		return;
	if (sodium_init() < 0)
		abort();
	token.token_state = token_state_new(clock_now_ms() - 1000);
	gate.tokens = (struct token_set){.token = &token, .count = 1};
}

/* Makes a message ours: the time is now, the nonce new unless it is to be a replay, the MAC right.
 */
static void sign(uint8_t *in, size_t len, bool replay)
{
	static const char label[] = "hawser-hop-1 request";
	const uint64_t now_ms = clock_now_ms();
	uint8_t *auth = in + GREETING_BYTES;
	crypto_auth_hmacsha512256_state state;
	size_t auth_len, signed_len;
	int found;

	if (len <= GREETING_BYTES)
		return;
	found = hop_auth_size(auth, len - GREETING_BYTES);
	if (found <= 0 || (size_t)found > len - GREETING_BYTES)
		return;
	auth_len = (size_t)found;
	signed_len = auth_len - HOP_MAC_BYTES;
	for (size_t i = 0; i < 8; i++)
		auth[1 + i] = (uint8_t)(now_ms >> (56 - 8 * i));
	nonce += !replay;
	memcpy(auth + 9, &nonce, sizeof(nonce));
	crypto_auth_hmacsha512256_init(&state, token.key, sizeof(token.key));
	crypto_auth_hmacsha512256_update(&state, (const uint8_t *)label, sizeof(label) - 1);
	crypto_auth_hmacsha512256_update(&state, auth, signed_len);
	/* The whole rest as the request: right where no first bytes follow. */
	crypto_auth_hmacsha512256_update(&state, auth + auth_len, len - GREETING_BYTES - auth_len);
	crypto_auth_hmacsha512256_final(&state, auth + signed_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handshake_out out = {.len = 0};
	enum parse result = PARSE_MORE;
	struct handshake handshake;
	size_t start = 0, stop;
	uint8_t *in;
	size_t len;

	setup();
	if (size < 2 || size > HANDSHAKE_IN_MAX)
		return 0;
	len = size - 2;
	in = malloc(len + 1);
	memcpy(in, data + 2, len);
	if (data[0] & SIGN)
		sign(in, len, data[0] & REPLAY);
	handshake_init(&handshake, ACCESS_DENIED, &auth_judge, &(struct users){0});
	handshake.gate = &gate;
	stop = data[0] & CUT_ALL ? 0 : data[1] % (len + 1);
	for (;;) {
		/* A block of its own, for the sanitizer to guard. */
		uint8_t *block = malloc(stop - start + 1);
		size_t consumed = SIZE_MAX;

		memcpy(block, in + start, stop - start);
		result = handshake_step(&handshake, block, stop - start, &consumed, &out);
		free(block);
		assert(consumed <= stop - start);
		start += consumed;
		if (result != PARSE_MORE || stop == len)
			break;
		stop = data[0] & CUT_ALL ? stop + 1 : len;
	}
	/* Whoever is denied gets nowhere without a token, and whose token was taken was signed. */
	assert(result != PARSE_DONE || handshake.token);
	assert(!handshake.token || data[0] & SIGN);
	assert(result != PARSE_BAD || handshake.cause != CAUSE_NONE);
	/* Only with a token, and never for longer than one may ask. */
	assert(result != PARSE_DONE || !handshake.wants_speed ||
	       (handshake.token && !handshake.probe && handshake.speed.kind >= SPEED_SOURCE &&
		handshake.speed.kind <= SPEED_ECHO && handshake.speed.seconds >= 1 &&
		handshake.speed.seconds <= SPEED_SECONDS_MAX));
	if (handshake.token)
		token_state_end(handshake.token->token_state);
	free(handshake.head);
	free(in);
	return 0;
}
