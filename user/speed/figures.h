/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what was measured to figures, and the results that they make up. Pure. */
#ifndef HAWSER_SPEED_FIGURES_H
#define HAWSER_SPEED_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/direction.h"
#include "config/link_config.h"
#include "proto/hop_message.h"

#define SPEED_SAID_MAX 256

/* Bytes of one connection up to a time since it began. */
struct speed_sample {
	double s;
	uint64_t bytes;
};

struct speed_latency {
	double median_ms;
	double p95_ms;
	size_t count; /* of exchanges; 0: none was answered */
};

/* Of one direction. */
struct speed_figure {
	bool measured;
	bool yielded;		      /* not measured, as others use the line */
	double bytes_per_s;	      /* of payload */
	double others_per_s;	      /* what others moved beside it, with headers */
	struct speed_latency latency; /* meanwhile */
};

/* One link alone, or all together. */
struct speed_row {
	char name[LINK_NAME_MAX + 1];
	bool together;
	bool skipped;		   /* said has the reason */
	char said[SPEED_SAID_MAX]; /* what went wrong; "": nothing */
	struct speed_latency idle;
	struct speed_figure figures[DIRECTIONS];
};

struct speed_result {
	double time_s; /* since 1970, when it began */
	char exit[HOP_EXIT_NAME_MAX + 1];
	unsigned int seconds; /* each measurement takes */
	bool stopped;
	char said[SPEED_SAID_MAX]; /* why there is not more; "": it is whole */
	uint64_t bytes;		   /* that it moved */
	uint64_t left;		   /* that the exit gives today, by its last word */
	size_t count;
	struct speed_row rows[LINKS_MAX + 1];
};

/* What of a measurement is left out at the beginning: slow start, and queues that fill. */
double speed_skip_s(unsigned int seconds);

/* Bytes per second from the first sample at or after skip_s to the last; 0 where that is less than
 * half a second. */
double speed_rate(const struct speed_sample *samples, size_t count, double skip_s);

/* Sorts ms. */
struct speed_latency speed_latency_of(double *ms, size_t count);

#endif
