/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bounded memory of nonces: a ring in order of arrival, chained by hash. */
#include "shared/replay_window.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT16_MAX

_Static_assert((REPLAY_NONCES_MAX & (REPLAY_NONCES_MAX - 1)) == 0, "a power of two");
_Static_assert(REPLAY_NONCES_MAX < NONE, "an index fits");

struct entry {
	uint64_t time_ms;
	uint8_t nonce[HOP_NONCE_BYTES];
	uint16_t next; /* of the same chain */
};

struct replay_window {
	uint64_t floor_ms; /* what is stamped so or before is not taken */
	size_t first;	   /* the oldest; the ring has count from there on */
	size_t count;
	uint16_t chains[REPLAY_NONCES_MAX];
	struct entry entries[REPLAY_NONCES_MAX];
};

/* Nonces are random. Who holds the token could choose others, and slow down itself. */
static uint16_t *chain_of(struct replay_window *replay, const uint8_t *nonce)
{
	uint32_t hash;

	memcpy(&hash, nonce, sizeof(hash));
	return &replay->chains[hash & (REPLAY_NONCES_MAX - 1)];
}

struct replay_window *replay_window_open(uint64_t now_ms)
{
	struct replay_window *replay = malloc(sizeof(*replay));

	if (!replay)
		return NULL;
	replay->floor_ms = now_ms;
	replay->first = 0;
	replay->count = 0;
	memset(replay->chains, 0xff, sizeof(replay->chains));
	return replay;
}

void replay_window_close(struct replay_window *replay)
{
	free(replay);
}

static void forget_oldest(struct replay_window *replay)
{
	struct entry *oldest = &replay->entries[replay->first];
	uint16_t *link = chain_of(replay, oldest->nonce);

	while (*link != replay->first)
		link = &replay->entries[*link].next;
	*link = oldest->next;
	if (oldest->time_ms > replay->floor_ms)
		replay->floor_ms = oldest->time_ms;
	replay->first = (replay->first + 1) & (REPLAY_NONCES_MAX - 1);
	replay->count--;
}

enum replay_verdict replay_window_check(struct replay_window *replay, uint64_t time_ms,
					const uint8_t nonce[static HOP_NONCE_BYTES],
					uint64_t now_ms)
{
	uint16_t *chain = chain_of(replay, nonce);
	uint16_t index;

	if (time_ms <= replay->floor_ms || time_ms > now_ms + REPLAY_AHEAD_MS ||
	    time_ms + REPLAY_PAST_MS < now_ms)
		return REPLAY_TIME;
	for (index = *chain; index != NONE; index = replay->entries[index].next)
		if (memcmp(replay->entries[index].nonce, nonce, HOP_NONCE_BYTES) == 0)
			return REPLAY_SEEN;
	if (replay->count == REPLAY_NONCES_MAX)
		forget_oldest(replay);
	index = (uint16_t)((replay->first + replay->count++) & (REPLAY_NONCES_MAX - 1));
	replay->entries[index].time_ms = time_ms;
	memcpy(replay->entries[index].nonce, nonce, HOP_NONCE_BYTES);
	replay->entries[index].next = *chain;
	*chain = index;
	return REPLAY_FRESH;
}
