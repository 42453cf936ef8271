/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All streams are one random block again and again, each begun elsewhere in it. Its length is odd
 * so that no buffer size fits it. */
#include "pattern.h"

#include <string.h>

#include "plan.h"

#define PERIOD 1000003U

/* Shorter samples may be found by chance. */
#define SAMPLE_BYTES 8

static unsigned char block[PERIOD + PATTERN_PART_MAX];

void pattern_init(void)
{
	struct dice dice = dice_new(1, 1);

	for (size_t i = 0; i < PERIOD; i++)
		block[i] = (unsigned char)dice_below(&dice, 256);
	memcpy(block + PERIOD, block, PATTERN_PART_MAX);
}

const unsigned char *pattern_at(uint64_t key, uint64_t offset)
{
	/* Neighbours are far apart: the golden section of the period. */
	return block + (key * 618036 + offset) % PERIOD;
}

int64_t pattern_distance(uint64_t key, uint64_t offset, const unsigned char *bytes, size_t len)
{
	const unsigned char *found;
	int64_t distance;

	if (len < SAMPLE_BYTES)
		return PATTERN_UNKNOWN;
	found = memmem(block, sizeof(block), bytes, SAMPLE_BYTES);
	if (!found)
		return PATTERN_UNKNOWN;
	distance = (found - pattern_at(key, offset)) % (int64_t)PERIOD;
	if (distance > PERIOD / 2)
		distance -= PERIOD;
	if (distance < -(int64_t)(PERIOD / 2))
		distance += PERIOD;
	return distance;
}
