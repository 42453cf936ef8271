/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all workers of an exit share about one token. */
#include "shared/token_state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct token_state {
	atomic_uint references;
	atomic_bool revoked;
	atomic_uint sessions;
	pthread_mutex_t lock; /* of replay; held in a handshake, for about a microsecond */
	struct replay_window *replay;
	struct episode full;
	struct fair_rate rates[DIRECTIONS]; /* only tokens with a rate have a use for them */
	struct speed_limit speed;
};

struct token_state *token_state_new(uint64_t now_ms)
{
	struct token_state *token_state = calloc(1, sizeof(*token_state));

	if (!token_state)
		return NULL;
	token_state->replay = replay_window_open(now_ms);
	if (!token_state->replay) {
		free(token_state);
		return NULL;
	}
	token_state->full = (struct episode)EPISODE_INITIALIZER;
	atomic_init(&token_state->references, 1);
	pthread_mutex_init(&token_state->lock, NULL);
	for (size_t i = 0; i < 2; i++)
		fair_rate_init(&token_state->rates[i]);
	speed_limit_init(&token_state->speed);
	return token_state;
}

struct token_state *token_state_get(struct token_state *token_state)
{
	atomic_fetch_add(&token_state->references, 1);
	return token_state;
}

void token_state_put(struct token_state *token_state)
{
	if (!token_state || atomic_fetch_sub(&token_state->references, 1) != 1)
		return;
	pthread_mutex_destroy(&token_state->lock);
	for (size_t i = 0; i < 2; i++)
		fair_rate_fini(&token_state->rates[i]);
	speed_limit_fini(&token_state->speed);
	replay_window_close(token_state->replay);
	free(token_state);
}

enum replay_verdict token_state_check(struct token_state *token_state, uint64_t time_ms,
				      const uint8_t nonce[static HOP_NONCE_BYTES], uint64_t now_ms)
{
	enum replay_verdict verdict;

	pthread_mutex_lock(&token_state->lock);
	verdict = replay_window_check(token_state->replay, time_ms, nonce, now_ms);
	pthread_mutex_unlock(&token_state->lock);
	return verdict;
}

bool token_state_begin(struct token_state *token_state, uint32_t max)
{
	if (atomic_fetch_add(&token_state->sessions, 1) >= max && max > 0) {
		atomic_fetch_sub(&token_state->sessions, 1);
		return false;
	}
	token_state_get(token_state);
	return true;
}

struct episode *token_state_full(struct token_state *token_state)
{
	return &token_state->full;
}

void token_state_end(struct token_state *token_state)
{
	atomic_fetch_sub(&token_state->sessions, 1);
	token_state_put(token_state);
}

uint32_t token_state_sessions(struct token_state *token_state)
{
	return atomic_load(&token_state->sessions);
}

struct fair_rate *token_state_rate(struct token_state *token_state, enum direction direction)
{
	return &token_state->rates[direction];
}

struct speed_limit *token_state_speed(struct token_state *token_state)
{
	return &token_state->speed;
}

void token_state_revoke(struct token_state *token_state)
{
	atomic_store(&token_state->revoked, true);
}

bool token_state_is_revoked(struct token_state *token_state)
{
	return atomic_load(&token_state->revoked);
}
