/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all workers of an exit share about one token: which messages there were, how many sessions
 * it has, whether it was revoked. It outlives reloads, as long as a configuration or a session has
 * the token. */
#ifndef HAWSER_SHARED_TOKEN_STATE_H
#define HAWSER_SHARED_TOKEN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/replay_window.h"

struct account;

/* With one reference. NULL when out of memory. now_ms: see replay_open(). */
struct account *account_new(uint64_t now_ms);

/* Any thread, as all below. The last put frees; account_put(NULL) does nothing. */
struct account *account_get(struct account *account);
void account_put(struct account *account);

/* As replay_check(), for whichever worker asks. */
enum replay_verdict account_check(struct account *account, uint64_t time_ms,
				  const uint8_t nonce[static HOP_NONCE_BYTES], uint64_t now_ms);

/* Counts a session and takes a reference for it; false when there are max already (0: no limit). */
bool account_begin(struct account *account, uint32_t max);
void account_end(struct account *account);
uint32_t account_sessions(struct account *account);

/* Counts n bytes that were moved in one direction, at rate bytes per second for all sessions
 * together; returns for how many seconds their session shall move no more that way, 0 for none.
 * now_s is of clock_monotonic_s(). */
double account_charge(struct account *account, bool up, uint64_t n, uint64_t rate, double now_s);

void account_revoke(struct account *account);
bool account_is_revoked(struct account *account);

#endif
