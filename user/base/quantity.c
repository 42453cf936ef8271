/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers with a unit behind them, as people write them: 20G, 15m. */
#include "base/quantity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US 1000000ULL

const struct unit quantity_plain[] = {{NULL, 0}};
const struct unit quantity_powers[] = {
	{"K", 1000}, {"M", 1000000}, {"G", 1000000000}, {"T", 1000000000000}, {NULL, 0}};
const struct unit quantity_times_us[] = {{"us", 1},
					 {"ms", 1000},
					 {"s", SECOND_US},
					 {"m", 60 * SECOND_US},
					 {"h", 3600 * SECOND_US},
					 {"d", 86400 * SECOND_US},
					 {NULL, 0}};

uint64_t quantity_scale(const struct unit *units, const char *suffix, uint64_t without)
{
	if (!*suffix)
		return without;
	for (; units->suffix; units++)
		if (strcmp(units->suffix, suffix) == 0)
			return units->scale;
	return 0;
}

bool quantity_parse(const char *text, const struct unit *units, uint64_t without, uint64_t least,
		    uint64_t most, uint64_t *out)
{
	const char *suffix = text + strspn(text, "0123456789");
	const uint64_t scale = quantity_scale(units, suffix, without);

	if (suffix == text || scale == 0)
		return false;
	errno = 0;
	*out = strtoull(text, NULL, 10);
	return errno == 0 && !__builtin_mul_overflow(*out, scale, out) && *out >= least &&
	       *out <= most;
}
