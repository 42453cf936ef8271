/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A histogram of times whose steps grow with the times, and quantiles of it. */
#include <stdlib.h>

#include "load.h"

#define STEP_BITS  6
#define STEPS	   (1U << STEP_BITS)
#define MAGNITUDES (64 - STEP_BITS)

struct latency {
	uint64_t count;
	uint64_t largest_ns;
	uint64_t steps[(MAGNITUDES + 1) * STEPS];
};

struct latency *latency_new(void)
{
	struct latency *latency = calloc(1, sizeof(*latency));

	if (!latency)
		die("no memory");
	return latency;
}

/* Below STEPS each value has a step of its own; above, its STEP_BITS bits after the highest one. */
static size_t step_of(uint64_t ns)
{
	unsigned int shift;

	if (ns < STEPS)
		return ns;
	shift = 63U - (unsigned int)__builtin_clzll(ns) - STEP_BITS;
	return (size_t)(shift + 1) * STEPS + ((ns >> shift) - STEPS);
}

static uint64_t middle_of(size_t step)
{
	size_t magnitude = step / STEPS;
	unsigned int shift;

	if (magnitude == 0)
		return step;
	shift = (unsigned int)magnitude - 1;
	return ((STEPS + step % STEPS) << shift) + ((1ULL << shift) >> 1);
}

void latency_add(struct latency *latency, uint64_t ns)
{
	latency->count++;
	latency->steps[step_of(ns)]++;
	if (ns > latency->largest_ns)
		latency->largest_ns = ns;
}

uint64_t latency_count(const struct latency *latency)
{
	return latency->count;
}

uint64_t latency_quantile(const struct latency *latency, double quantile)
{
	double wanted = quantile * (double)latency->count;
	uint64_t seen = 0;

	if (quantile >= 1)
		return latency->largest_ns;
	for (size_t step = 0; step < sizeof(latency->steps) / sizeof(latency->steps[0]); step++) {
		seen += latency->steps[step];
		if (seen > 0 && (double)seen >= wanted)
			return middle_of(step);
	}
	return latency->largest_ns;
}
