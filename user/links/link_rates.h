/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of one link: totals, and rates over a second, a minute and an hour, in bounded memory. */
#ifndef HAWSER_LINKS_LINK_RATES_H
#define HAWSER_LINKS_LINK_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/link_config.h"

#define LINK_RATES_SAMPLES 61

enum link_span { LINK_SPAN_SECOND, LINK_SPAN_MINUTE, LINK_SPAN_HOUR, LINK_SPANS };

struct link_sample {
	double at_s;
	struct link_bytes total;
};

/* A ring, the newest at (next - 1). */
struct link_samples {
	struct link_sample samples[LINK_RATES_SAMPLES];
	size_t next;
	size_t count;
};

/* All zero at the start. */
struct link_rates {
	bool begun;
	int device;		   /* whose counters were read last */
	struct link_bytes raw;	   /* its counters then */
	struct link_bytes total;   /* since the start */
	struct link_samples fine;  /* a second apart */
	struct link_samples rough; /* a minute apart */
};

/* To be called before link_rates_take() for a link that may have moved to another interface, of
 * which what it has carried so far is not the link's. */
void link_rates_move(struct link_rates *meter, int device);

/* Takes the interface's counters, about once a second; those of another interface, or lower ones
 * than before, begin at 0. */
void link_rates_take(struct link_rates *meter, double now_s, int device,
		     const struct link_bytes *counters);

/* Bytes per second over this span, or what of it has passed; 0 while that is nothing. */
struct link_bytes link_rates_rate(const struct link_rates *meter, enum link_span span);

#endif
