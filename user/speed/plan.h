/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a speed test is to measure. */
#ifndef HAWSER_SPEED_PLAN_H
#define HAWSER_SPEED_PLAN_H

#include "speed/run.h"

#define SPEED_SECONDS_DEFAULT 6
#define SPEED_MEASURE_MIN_S   2
#define SPEED_MEASURE_MAX_S   20

struct links;

struct speed_order {
	const char *names[LINKS_MAX]; /* of links */
	size_t name_count;	      /* 0: each, and all together */
	const char *exit;	      /* NULL: the one that sessions go by */
	unsigned int seconds;	      /* of each measurement; SPEED_MEASURE_MIN_S to …MAX_S */
	double lease_s; /* it is stopped when it is not renewed for so long; 0: it goes on */
};

/* Fills in plan, without a reference to config, and the rows of result. 0, or -EINVAL with what
 * stands against it in said. */
int speed_plan_make(const struct speed_order *order, const struct config *config,
		    const struct links *links, struct speed_plan *plan, struct speed_result *result,
		    char said[SPEED_SAID_MAX]);

#endif
