/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/histogram.h"

#include <stddef.h>

/* From a LAN to what a person waits for, and to where a dial gives up. */
const double histogram_bounds[HISTOGRAM_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
						   0.25,  0.5,	  1,	 2.5,  5,     10,   30};

void histogram_add(struct histogram *histogram, double seconds)
{
	size_t i = 0;

	if (!(seconds > 0))
		seconds = 0;
	while (i < HISTOGRAM_BOUNDS && seconds > histogram_bounds[i])
		i++;
	histogram->counts[i]++;
	histogram->sum_s += seconds;
}

void histogram_merge(struct histogram *sum, const struct histogram *more)
{
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		sum->counts[i] += more->counts[i];
	sum->sum_s += more->sum_s;
}
