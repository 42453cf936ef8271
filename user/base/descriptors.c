/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/descriptors.h"

#include <stdatomic.h>

static struct {
	_Atomic uint32_t max;
	_Atomic uint32_t used;
} uses[DESCRIPTOR_USE_COUNT] = {
	[DESCRIPTORS_SESSION].max = UINT32_MAX,
	[DESCRIPTORS_PIPE].max = UINT32_MAX,
	[DESCRIPTORS_ATTEMPT].max = UINT32_MAX,
};

void descriptors_limit(enum descriptor_use use, uint32_t max)
{
	atomic_store(&uses[use].max, max);
}

uint32_t descriptors_max(enum descriptor_use use)
{
	return atomic_load(&uses[use].max);
}

bool descriptors_take(enum descriptor_use use, uint32_t count)
{
	uint32_t used = atomic_load(&uses[use].used);

	do {
		if (used + (uint64_t)count > atomic_load(&uses[use].max))
			return false;
	} while (!atomic_compare_exchange_weak(&uses[use].used, &used, used + count));
	return true;
}

void descriptors_give(enum descriptor_use use, uint32_t count)
{
	atomic_fetch_sub(&uses[use].used, count);
}
