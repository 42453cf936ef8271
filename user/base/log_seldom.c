/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log_seldom.h"

#include "base/clock.h"

#define PERIOD_S 60.

bool log_seldom(struct log_seldom *seldom)
{
	const double now_s = clock_monotonic_s();

	if (seldom->lines == 0 || now_s - seldom->since_s >= PERIOD_S)
		*seldom = (struct log_seldom){.since_s = now_s};
	if (seldom->lines == LOG_SELDOM_LINES)
		return false;
	seldom->lines++;
	return true;
}
