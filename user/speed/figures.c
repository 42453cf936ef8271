/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "speed/figures.h"

#include <stdlib.h>

#define SKIP_MIN_S   0.7
#define SKIP_MAX_S   3.
#define WINDOW_MIN_S 0.5

double speed_skip_s(unsigned int seconds)
{
	const double third_s = seconds / 3.;

	if (third_s < SKIP_MIN_S)
		return SKIP_MIN_S;
	return third_s < SKIP_MAX_S ? third_s : SKIP_MAX_S;
}

double speed_rate(const struct speed_sample *samples, size_t count, double skip_s)
{
	size_t first = 0;
	double window_s;

	while (first < count && samples[first].s < skip_s)
		first++;
	if (first == count)
		return 0;
	window_s = samples[count - 1].s - samples[first].s;
	if (window_s < WINDOW_MIN_S)
		return 0;
	return (double)(samples[count - 1].bytes - samples[first].bytes) / window_s;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct speed_latency speed_latency_of(double *ms, size_t count)
{
	if (count == 0)
		return (struct speed_latency){.count = 0};
	qsort(ms, count, sizeof(*ms), compare);
	return (struct speed_latency){
		.median_ms = (ms[(count - 1) / 2] + ms[count / 2]) / 2,
		/* The smallest that 95 of 100 do not exceed. */
		.p95_ms = ms[(count * 95 + 99) / 100 - 1],
		.count = count,
	};
}
