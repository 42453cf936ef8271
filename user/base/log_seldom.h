/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others can cause as often as they like must not fill the log. */
#ifndef HAWSER_BASE_LOG_SELDOM_H
#define HAWSER_BASE_LOG_SELDOM_H

#include <stdbool.h>

#define LOG_SELDOM_LINES 10

/* All zero: none was written. */
struct log_seldom {
	double since_s; /* of the first line of the present minute */
	unsigned int lines;
};

/* Whether a line may be written now: LOG_SELDOM_LINES in a minute. It should have a count, as the
 * others are not told. */
bool log_seldom(struct log_seldom *seldom);

#endif
