/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often something took how long, by fixed bounds. All zero at the start. Pure; of one thread,
 * whose copies others may add up. */
#ifndef HAWSER_BASE_HISTOGRAM_H
#define HAWSER_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS 14

/* Seconds, inclusive, rising. */
extern const double histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
	uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* not beyond this bound, but the one before; the
						  last: beyond all */
	double sum_s;
};

/* What is below 0, as no steady clock has it, counts as 0. */
void histogram_add(struct histogram *histogram, double seconds);

void histogram_merge(struct histogram *sum, const struct histogram *more);

#endif
