/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers with a unit behind them, as people write them: 20G, 15m. */
#ifndef HAWSER_BASE_QUANTITY_H
#define HAWSER_BASE_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

struct unit {
	const char *suffix; /* NULL ends a list */
	uint64_t scale;
};

extern const struct unit quantity_plain[];    /* none */
extern const struct unit quantity_powers[];   /* K, M, G, T: powers of 1000 */
extern const struct unit quantity_times_us[]; /* us, ms, s, m, h, d: in microseconds */

/* What the suffix stands for: the scale without one, 0 for one that units does not have. */
uint64_t quantity_scale(const struct unit *units, const char *suffix, uint64_t without);

/* Parses digits and a suffix, times its scale. False for anything else and for what is not from
 * least to most. */
bool quantity_parse(const char *text, const struct unit *units, uint64_t without, uint64_t least,
		    uint64_t most, uint64_t *out);

#endif
