/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all workers dialled in the last seconds. */
#include "shared/recent_dials.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <sodium.h>

/* For longer, the kernel might have given source and destination to another process. */
#define RECENT_S 10

#define SLOTS	    4096
#define SECONDS_MAX 0xffff

/* A slot has the second in its low bits and in the others a hash, which also chose the slot. */
struct recent_dials {
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	_Atomic uint64_t slots[SLOTS];
};

_Static_assert((SLOTS & (SLOTS - 1)) == 0 && SLOTS - 1 <= SECONDS_MAX,
	       "the bits that choose a slot are those that do not fit into it");

struct recent_dials *recent_dials_open(void)
{
	struct recent_dials *dials = calloc(1, sizeof(*dials));

	/* Clients choose the destinations; they must not be able to choose a slot. */
	if (dials)
		randombytes_buf(dials->hash_key, sizeof(dials->hash_key));
	return dials;
}

void recent_dials_close(struct recent_dials *dials)
{
	free(dials);
}

static uint64_t hash_of(const struct recent_dials *dials, const union address *from,
			const union address *to)
{
	const struct address_key ends[] = {address_key(from), address_key(to)};
	uint64_t hash;

	_Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "SipHash gives 64 bits");
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)ends, sizeof(ends),
			 dials->hash_key);
	return hash;
}

void recent_dials_add(struct recent_dials *dials, const union address *from,
		      const union address *to, double now_s)
{
	const uint64_t hash = hash_of(dials, from, to);
	const uint64_t second = (uint64_t)now_s & SECONDS_MAX;

	atomic_store(&dials->slots[hash & (SLOTS - 1)], (hash & ~(uint64_t)SECONDS_MAX) | second);
}

bool recent_dials_has(struct recent_dials *dials, const union address *from,
		      const union address *to, double now_s)
{
	const uint64_t hash = hash_of(dials, from, to);
	const uint64_t slot = atomic_load(&dials->slots[hash & (SLOTS - 1)]);

	return (slot ^ hash) <= SECONDS_MAX ? (((uint64_t)now_s - slot) & SECONDS_MAX) <= RECENT_S
					    : false;
}
