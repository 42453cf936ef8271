/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all workers of an exit share about one token: which messages there were, how many sessions
 * it has, whether it was revoked. It outlives reloads, as long as a configuration or a session has
 * the token. */
#ifndef HAWSER_SHARED_TOKEN_STATE_H
#define HAWSER_SHARED_TOKEN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/direction.h"
#include "shared/episode.h"
#include "shared/fair_rate.h"
#include "shared/replay_window.h"
#include "shared/speed_limit.h"

struct token_state;

/* With one reference. NULL when out of memory. now_ms: see replay_window_open(). */
struct token_state *token_state_new(uint64_t now_ms);

/* Any thread, as all below. The last put frees; token_state_put(NULL) does nothing. */
struct token_state *token_state_get(struct token_state *token_state);
void token_state_put(struct token_state *token_state);

/* As replay_window_check(), for whichever worker asks. */
enum replay_verdict token_state_check(struct token_state *token_state, uint64_t time_ms,
				      const uint8_t nonce[static HOP_NONCE_BYTES], uint64_t now_ms);

/* Counts a session and takes a reference for it; false when there are max already (0: no limit). */
bool token_state_begin(struct token_state *token_state, uint32_t max);
void token_state_end(struct token_state *token_state);

/* Sessions are refused, as it has all of them. */
struct episode *token_state_full(struct token_state *token_state);

uint32_t token_state_sessions(struct token_state *token_state);

/* What its sessions have of its rate, each way; not locked by the account. */
struct fair_rate *token_state_rate(struct token_state *token_state, enum direction direction);

struct speed_limit *token_state_speed(struct token_state *token_state);

void token_state_revoke(struct token_state *token_state);
bool token_state_is_revoked(struct token_state *token_state);

#endif
