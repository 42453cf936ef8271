/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By which of several ways a client reaches a destination: rendezvous hashing, and a small memory
 * for what has moved. */
#include "shared/affinity.h"

#include <ctype.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define ROWS	    2048
#define ROW_SLOTS   4
#define SECOND_BITS 20 /* twelve days; longer than anything is kept */
#define ID_BITS	    20
#define AHEAD_S	    60
#define SECONDS	    ((UINT64_C(1) << SECOND_BITS) - 1)
#define IDS	    ((UINT64_C(1) << ID_BITS) - 1)

/* A slot has, from above, bits of the pair's hash, of the way's id, and the second of the last use.
 * Other bits of the hash chose the row, where the oldest makes room: that pair goes back to its own
 * way, no more. */
struct affinity {
	uint8_t key[crypto_shorthash_KEYBYTES];
	_Atomic uint64_t slots[ROWS][ROW_SLOTS];
};

_Static_assert((ROWS & (ROWS - 1)) == 0 && ROWS - 1 <= IDS,
	       "the bits that choose a row are those that do not fit into a slot");

struct affinity *affinity_open(void)
{
	struct affinity *affinity = calloc(1, sizeof(*affinity));

	if (affinity)
		crypto_shorthash_keygen(affinity->key);
	return affinity;
}

void affinity_close(struct affinity *affinity)
{
	free(affinity);
}

uint64_t affinity_hash(const struct affinity *affinity, const void *bytes, size_t len)
{
	uint64_t hash;

	_Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "SipHash gives 64 bits");
	crypto_shorthash((unsigned char *)&hash, bytes, len, affinity->key);
	return hash;
}

static struct address_key ip_key(const union address *address)
{
	struct address_key key = address_key(address);

	memset(key.port, 0, sizeof(key.port));
	return key;
}

struct affinity_pair affinity_pair(const struct affinity *affinity, const union address *client,
				   const char *host, const union address *address)
{
	const bool has_address = address->sa.sa_family != AF_UNSPEC;
	const struct address_key ends[] = {ip_key(client), ip_key(address)};
	const uint64_t by_address = affinity_hash(affinity, ends, sizeof(ends));
	uint8_t named[sizeof(ends[0]) + HOST_NAME_MAX_BYTES];
	size_t len = strlen(host);

	if (len > 1 && host[len - 1] == '.')
		len--;
	if (len == 0)
		return (struct affinity_pair){.hash = by_address};
	memcpy(named, &ends[0], sizeof(ends[0]));
	for (size_t i = 0; i < len; i++)
		named[sizeof(ends[0]) + i] = (uint8_t)tolower((unsigned char)host[i]);
	return (struct affinity_pair){
		.hash = affinity_hash(affinity, named, sizeof(ends[0]) + len),
		.alias = has_address ? by_address : 0,
	};
}

static uint64_t hash_of(const struct affinity *affinity, uint64_t pair, uint64_t choice,
			uint64_t id)
{
	const uint64_t words[] = {pair, choice, id};

	return affinity_hash(affinity, words, sizeof(words));
}

/* Weighted rendezvous hashing: each way draws a number that only it and the pair decide, and the
 * highest wins. A way that goes moves its own pairs only, and one that comes takes its share. */
static size_t draw(const struct affinity *affinity, uint64_t pair, unsigned int choice,
		   const struct affinity_way *ways, size_t count)
{
	double highest = -1.;
	size_t best = 0;

	for (size_t i = 0; i < count; i++) {
		const uint64_t hash = hash_of(affinity, pair, choice, ways[i].id);
		/* More than 0, less than 1. */
		const double lot = ((double)(hash >> 12) + 0.5) * 0x1p-52;
		const double score = (double)ways[i].weight / -log(lot);

		if (score > highest) {
			highest = score;
			best = i;
		}
	}
	return best;
}

static bool is_of(uint64_t slot, uint64_t hash)
{
	return (slot ^ hash) >> (SECOND_BITS + ID_BITS) == 0;
}

/* 0 also where another worker, whose round began later, has just written. */
static uint64_t slot_age_s(uint64_t slot, double now_s)
{
	const uint64_t age_s = ((uint64_t)now_s - slot) & SECONDS;

	return age_s < SECONDS - AHEAD_S ? age_s : 0;
}

/* Where the pair is, or what makes room for it. */
static _Atomic uint64_t *find_slot(struct affinity *affinity, uint64_t hash, double now_s)
{
	_Atomic uint64_t *row = affinity->slots[hash & (ROWS - 1)];
	uint64_t oldest_s = 0;
	size_t oldest = 0;

	for (size_t i = 0; i < ROW_SLOTS; i++) {
		const uint64_t slot = atomic_load_explicit(&row[i], memory_order_relaxed);
		const uint64_t age_s = slot ? slot_age_s(slot, now_s) : UINT64_MAX;

		if (slot && is_of(slot, hash))
			return &row[i];
		if (age_s > oldest_s) {
			oldest_s = age_s;
			oldest = i;
		}
	}
	return &row[oldest];
}

/* The index of the way that the pair goes, or count. */
static size_t recall(const struct affinity_asker *asker, uint64_t slot, uint64_t hash,
		     const struct affinity_way *ways, size_t count)
{
	size_t i;

	if (!is_of(slot, hash) || (double)slot_age_s(slot, asker->now_s) > asker->keep_s)
		return count;
	for (i = 0; i < count; i++)
		if ((ways[i].id & IDS) == (slot >> SECOND_BITS & IDS))
			break;
	return i;
}

/* Writes once a second, so that workers do not fight for the line. */
static void remember(_Atomic uint64_t *slot, uint64_t hash, uint64_t id, double now_s)
{
	const uint64_t value = (hash & ~(IDS << SECOND_BITS | SECONDS)) |
			       (id & IDS) << SECOND_BITS | ((uint64_t)now_s & SECONDS);

	if (atomic_load_explicit(slot, memory_order_relaxed) != value)
		atomic_store_explicit(slot, value, memory_order_relaxed);
}

size_t affinity_choose(const struct affinity_asker *asker, unsigned int choice,
		       const struct affinity_way *ways, size_t count)
{
	struct affinity *affinity = asker->affinity;
	const struct affinity_pair *pair = &asker->pair;
	const uint64_t hash = hash_of(affinity, pair->hash, choice, 0);
	_Atomic uint64_t *slot;
	size_t i;

	if (asker->keep_s == 0)
		return draw(affinity, pair->hash, choice, ways, count);
	slot = find_slot(affinity, hash, asker->now_s);
	i = recall(asker, atomic_load_explicit(slot, memory_order_relaxed), hash, ways, count);
	if (i == count)
		i = draw(affinity, pair->hash, choice, ways, count);
	remember(slot, hash, ways[i].id, asker->now_s);
	if (pair->alias) {
		const uint64_t alias = hash_of(affinity, pair->alias, choice, 0);

		remember(find_slot(affinity, alias, asker->now_s), alias, ways[i].id, asker->now_s);
	}
	return i;
}
