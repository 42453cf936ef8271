/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of streams, and whether those that came are the right ones. */
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "load.h"

/* A prime, so that no loss of whole buffers or pages leaves the bytes in step. */
#define PERIOD	   65521
#define LOOK_BYTES ((size_t)16)
#define LOOK_EVERY ((size_t)4096)

static unsigned char pattern[PERIOD + PATTERN_BYTES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
	uint32_t state = 1;

	for (size_t i = 0; i < PERIOD; i++) {
		state = state * 1664525 + 1013904223;
		pattern[i] = (unsigned char)(state >> 24);
	}
	for (size_t i = PERIOD; i < sizeof(pattern); i++)
		pattern[i] = pattern[i - PERIOD];
}

const char *pattern_at(uint64_t position)
{
	pthread_once(&once, fill);
	return (const char *)pattern + position % PERIOD;
}

static void look(const char *bytes, size_t len, uint64_t position)
{
	if (memcmp(bytes, pattern_at(position), len) != 0)
		die_of_wrong_bytes("wrong bytes after %" PRIu64 ": lost, doubled or out of order",
				   position);
}

void pattern_check(const char *bytes, size_t len, uint64_t position)
{
	const size_t some = len < LOOK_BYTES ? len : LOOK_BYTES;

	for (size_t at = 0; at + some <= len && len > 0; at += LOOK_EVERY)
		look(bytes + at, some, position + at);
	look(bytes + len - some, some, position + len - some);
}
