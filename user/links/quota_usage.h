/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a link has carried of its quota, from the interface's counter, month by month. Pure. */
#ifndef HAWSER_LINKS_QUOTA_USAGE_H
#define HAWSER_LINKS_QUOTA_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define LINK_DAY_TEXT_MAX sizeof("2026-11-01")

#define LINK_MONTHS_KEPT 3

struct link_month {
	char since[LINK_DAY_TEXT_MAX]; /* its first day, local time; "": none */
	uint64_t bytes;		       /* both directions */
};

/* All zero: nothing is known yet. */
struct quota_usage {
	struct link_month month;		    /* that the clock says */
	struct link_month others[LINK_MONTHS_KEPT]; /* that it said before, the last one first */
	bool begun;				    /* device and counter are known */
	int device;				    /* whose counter was read last */
	uint64_t counter; /* bytes, then; starts at 0 with the interface */
};

/* Takes the counter, rx and tx together. What it says the first time was carried before anybody
 * looked. A month begins on reset_day, or on the last day of a shorter month. A clock that was
 * wrong and is right again finds what its month had; one that nobody has set yet, as after the
 * start of a router without a battery, ends no month. */
void quota_usage_take(struct quota_usage *usage, time_t now, unsigned int reset_day, int device,
		      uint64_t counter);

/* The host was started again: all counters began at 0. */
void quota_usage_reboot(struct quota_usage *usage);

/* When the month that holds now began, or the next one begins. */
void quota_usage_month(time_t now, unsigned int reset_day, bool next, char out[LINK_DAY_TEXT_MAX]);

#endif
