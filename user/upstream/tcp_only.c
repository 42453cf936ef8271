/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Remembers the destinations that did not speak MPTCP.
 *
 * Each worker has a table of its own: one for all would be a lock in every dial, or a question to
 * the main thread before every connect(). The price is that each worker finds out for itself: one
 * fallback per worker and destination. */
#include "upstream/tcp_only.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define ENTRIES_MAX 4096
#define CHAINS	    ENTRIES_MAX /* so that a chain has about one entry; a power of two */

_Static_assert(sizeof(struct address_key) == 18, "a key has no padding");

/* Entries are named by their number; 0 is none. */
struct entry {
	struct address_key key;
	uint16_t chained; /* the next with this hash, or the next free one */
	uint16_t older;
	uint16_t newer;
	uint32_t dials; /* since the last that tried MPTCP */
	double fell_back_s;
};

struct tcp_only {
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	struct tcp_only_counts counts;
	uint16_t used; /* entries ever used; those above were never touched */
	uint16_t free; /* used before, chained */
	/* In the order of their last fallback, in which they expire whatever the expiry is. */
	uint16_t oldest;
	uint16_t newest;
	uint16_t chains[CHAINS];
	struct entry entries[ENTRIES_MAX + 1]; /* [0] is unused */
};
_Static_assert(ENTRIES_MAX < UINT16_MAX, "an entry's number has 16 bits");
_Static_assert((CHAINS & (CHAINS - 1)) == 0, "a hash is cut to a chain's number by its low bits");

struct tcp_only *tcp_only_open(void)
{
	/* The kernel backs only those pages that are written to. */
	struct tcp_only *memory = calloc(1, sizeof(*memory));

	/* Clients choose the destinations; they must not be able to choose a chain. */
	if (memory)
		randombytes_buf(memory->hash_key, sizeof(memory->hash_key));
	return memory;
}

void tcp_only_close(struct tcp_only *memory)
{
	free(memory);
}

/* Where the number of the chain's first entry is. */
static uint16_t *chain_of(struct tcp_only *memory, const struct address_key *key)
{
	uint64_t hash;

	_Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "SipHash gives 64 bits");
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key, sizeof(*key),
			 memory->hash_key);
	return &memory->chains[hash & (CHAINS - 1)];
}

/* Where the number of key's entry is: in its chain or, 0, at the end of it. */
static uint16_t *find(struct tcp_only *memory, const struct address_key *key)
{
	uint16_t *link = chain_of(memory, key);

	while (*link && memcmp(&memory->entries[*link].key, key, sizeof(*key)) != 0)
		link = &memory->entries[*link].chained;
	return link;
}

static void age_remove(struct tcp_only *memory, const struct entry *entry)
{
	if (entry->older)
		memory->entries[entry->older].newer = entry->newer;
	else
		memory->oldest = entry->newer;
	if (entry->newer)
		memory->entries[entry->newer].older = entry->older;
	else
		memory->newest = entry->older;
}

static void age_append(struct tcp_only *memory, uint16_t number)
{
	struct entry *entry = &memory->entries[number];

	entry->older = memory->newest;
	entry->newer = 0;
	if (memory->newest)
		memory->entries[memory->newest].newer = number;
	else
		memory->oldest = number;
	memory->newest = number;
}

/* link is what find() returned, and not the end of a chain. */
static void forget(struct tcp_only *memory, uint16_t *link)
{
	const uint16_t number = *link;
	struct entry *entry = &memory->entries[number];

	age_remove(memory, entry);
	*link = entry->chained;
	entry->chained = memory->free;
	memory->free = number;
	memory->counts.remembered--;
}

static void forget_oldest(struct tcp_only *memory)
{
	forget(memory, find(memory, &memory->entries[memory->oldest].key));
}

static void expire(struct tcp_only *memory, double expiry_s, double now_s)
{
	while (memory->oldest) {
		if (now_s - memory->entries[memory->oldest].fell_back_s < expiry_s)
			return;
		forget_oldest(memory);
	}
}

/* The number of an entry without key, chain or age. */
static uint16_t take_free(struct tcp_only *memory)
{
	uint16_t number;

	if (!memory->free && memory->used < ENTRIES_MAX)
		return ++memory->used;
	if (!memory->free)
		forget_oldest(memory);
	number = memory->free;
	memory->free = memory->entries[number].chained;
	return number;
}

static void remember(struct tcp_only *memory, const struct address_key *key, double now_s)
{
	uint16_t number = *find(memory, key);

	if (number) {
		age_remove(memory, &memory->entries[number]);
	} else {
		uint16_t *chain;

		number = take_free(memory);
		chain = chain_of(memory, key);
		memory->entries[number] = (struct entry){.key = *key, .chained = *chain};
		*chain = number;
		memory->counts.remembered++;
	}
	memory->entries[number].fell_back_s = now_s;
	age_append(memory, number);
}

bool tcp_only_choose(struct tcp_only *memory, const union address *to,
		     const struct tcp_only_config *config, double now_s)
{
	const struct address_key key = address_key(to);
	struct entry *entry;
	uint16_t number;

	expire(memory, config->expiry_s, now_s);
	number = *find(memory, &key);
	if (!number)
		return false;
	entry = &memory->entries[number];
	if (++entry->dials >= config->retry ||
	    (config->sample_after_s > 0. && now_s - entry->fell_back_s >= config->sample_after_s)) {
		entry->dials = 0;
		memory->counts.retries++;
		return false;
	}
	memory->counts.tcp_dials++;
	return true;
}

bool tcp_only_note(struct tcp_only *memory, const union address *to, enum transport became,
		   double now_s)
{
	const struct address_key key = address_key(to);
	uint16_t *link;

	if (became == TRANSPORT_FALLBACK) {
		remember(memory, &key, now_s);
		return true;
	}
	link = find(memory, &key);
	if (became != TRANSPORT_MPTCP || !*link)
		return false;
	forget(memory, link);
	memory->counts.learnt++;
	return true;
}

struct tcp_only_counts tcp_only_count(struct tcp_only *memory, const struct tcp_only_config *config,
				      double now_s)
{
	expire(memory, config->expiry_s, now_s);
	return memory->counts;
}
