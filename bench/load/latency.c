/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A histogram of times whose steps grow with the times, and quantiles of it. */
#include <inttypes.h>
#include <stdio.h>
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
			return middle_of(step) < latency->largest_ns ? middle_of(step)
								     : latency->largest_ns;
	}
	return latency->largest_ns;
}

void latency_merge(struct latency *latency, const struct latency *more)
{
	latency->count += more->count;
	if (more->largest_ns > latency->largest_ns)
		latency->largest_ns = more->largest_ns;
	for (size_t step = 0; step < sizeof(latency->steps) / sizeof(latency->steps[0]); step++)
		latency->steps[step] += more->steps[step];
}

static double microseconds(const struct latency *latency, double quantile)
{
	return (double)latency_quantile(latency, quantile) / 1000;
}

void latency_print(const struct plan *plan, const struct hello *hello,
		   const struct latency *latency, bool mptcp)
{
	static const double shares[] = {0.001, 0.01,  0.05,  0.1,   0.2,    0.3,    0.4,
					0.5,   0.6,   0.7,   0.8,   0.9,    0.95,   0.98,
					0.99,  0.995, 0.998, 0.999, 0.9995, 0.9999, 1};
	uint64_t count = latency->count;
	double seconds = (double)plan->duration_ns / (double)NS_PER_S;

	printf("{\"work\": \"%s\", \"connections\": %zu, \"mptcp\": %s, \"start_ns\": "
	       "%" PRIu64 ", \"end_ns\": %" PRIu64 ", \"seconds\": %.6f, \"bytes\": %" PRIu64
	       ", \"exchanges\": %" PRIu64 ", \"per_second\": %.1f, \"latency_us\": "
	       "{\"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, \"max\": %.1f}, "
	       "\"distribution_us\": [",
	       work_name(plan->work), plan->connections, mptcp ? "true" : "false", hello->from_ns,
	       hello->to_ns, seconds,
	       count * ((uint64_t)plan->request_bytes + plan->response_bytes), count,
	       (double)count / seconds, microseconds(latency, 0.5), microseconds(latency, 0.99),
	       microseconds(latency, 0.999), microseconds(latency, 1));
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		printf("%s[%g, %.1f]", i ? ", " : "", shares[i], microseconds(latency, shares[i]));
	puts("]}");
}
