/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the largest packet that passes a path. */
#include "doctor/mtu_search.h"

size_t mtu_search_next(const struct mtu_search *search, unsigned int out[MTU_SEARCH_SIZES])
{
	const unsigned int unknown = search->fails - search->passes - 1;
	const unsigned int count = unknown < MTU_SEARCH_SIZES ? unknown : MTU_SEARCH_SIZES;

	for (unsigned int i = 0; i < count; i++)
		out[i] = search->passes + (unknown + 1) * (i + 1) / (count + 1);
	return count;
}

void mtu_search_take(struct mtu_search *search, const unsigned int *sizes, const bool *passed,
		     size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (passed[i] && sizes[i] > search->passes)
			search->passes = sizes[i];
	for (size_t i = count; i-- > 0;)
		if (sizes[i] > search->passes && sizes[i] < search->fails)
			search->fails = sizes[i];
}
