/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all workers of an exit share about one token. */
#include "shared/token_state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What was not used of the rate lately may be used at once. */
#define BURST_S 0.1

struct account {
	atomic_uint references;
	atomic_bool revoked;
	atomic_uint sessions;
	pthread_mutex_t lock; /* of replay; held once in a handshake, for about a microsecond */
	struct replay *replay;
	pthread_mutex_t rate_lock; /* of the next; only tokens with a rate take it */
	double paid_s[2];	   /* until when what was moved down and up is paid for */
};

struct account *account_new(uint64_t now_ms)
{
	struct account *account = calloc(1, sizeof(*account));

	if (!account)
		return NULL;
	account->replay = replay_open(now_ms);
	if (!account->replay) {
		free(account);
		return NULL;
	}
	atomic_init(&account->references, 1);
	pthread_mutex_init(&account->lock, NULL);
	pthread_mutex_init(&account->rate_lock, NULL);
	return account;
}

struct account *account_get(struct account *account)
{
	atomic_fetch_add(&account->references, 1);
	return account;
}

void account_put(struct account *account)
{
	if (!account || atomic_fetch_sub(&account->references, 1) != 1)
		return;
	pthread_mutex_destroy(&account->lock);
	pthread_mutex_destroy(&account->rate_lock);
	replay_close(account->replay);
	free(account);
}

enum replay_verdict account_check(struct account *account, uint64_t time_ms,
				  const uint8_t nonce[static HOP_NONCE_BYTES], uint64_t now_ms)
{
	enum replay_verdict verdict;

	pthread_mutex_lock(&account->lock);
	verdict = replay_check(account->replay, time_ms, nonce, now_ms);
	pthread_mutex_unlock(&account->lock);
	return verdict;
}

bool account_begin(struct account *account, uint32_t max)
{
	if (atomic_fetch_add(&account->sessions, 1) >= max && max > 0) {
		atomic_fetch_sub(&account->sessions, 1);
		return false;
	}
	account_get(account);
	return true;
}

void account_end(struct account *account)
{
	atomic_fetch_sub(&account->sessions, 1);
	account_put(account);
}

uint32_t account_sessions(struct account *account)
{
	return atomic_load(&account->sessions);
}

double account_charge(struct account *account, bool up, uint64_t n, uint64_t rate, double now_s)
{
	double wait_s;

	pthread_mutex_lock(&account->rate_lock);
	if (account->paid_s[up] < now_s - BURST_S)
		account->paid_s[up] = now_s - BURST_S;
	account->paid_s[up] += (double)n / (double)rate;
	wait_s = account->paid_s[up] - now_s;
	pthread_mutex_unlock(&account->rate_lock);
	return wait_s > 0 ? wait_s : 0;
}

void account_revoke(struct account *account)
{
	atomic_store(&account->revoked, true);
}

bool account_is_revoked(struct account *account)
{
	return atomic_load(&account->revoked);
}
