/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one direction has been doing lately: is it bulk, and how often is it to be looked at? */
#include "pace.h"

#include "socket.h"

/* Rates are measured over windows at least this long: the longest tick. */
#define WINDOW_S 0.004

/* This many windows in a row must be bulk before readability is given up. */
#define BULK_WINDOWS 4

/* A tick should bring this much… */
#define TICK_BYTES ((size_t)256 * 1024)
/* …and a direction that would not bring this much in the longest tick is not bulk. */
#define TICK_BYTES_MIN ((size_t)64 * 1024)
/* A tick that brings less ends it: the burst is over. */
#define TICK_BYTES_LITTLE ((size_t)16 * 1024)

#define TICK_MIN_US 1000
#define TICK_MAX_US 4000

/* A tick delays bytes by half its length on average, so it must be small beside what the path takes
 * anyway. */
#define RTT_SHARE 8.

/* Ticks after which the interval is chosen anew. */
#define TICKS_PER_CHOICE 16U

static uint32_t pace_choose(const struct tick_config *config, double bytes_per_s, int source,
			    int target)
{
	double interval_us = (double)TICK_BYTES / bytes_per_s * 1e6;
	double longest_us;

	if (config->mode == TICK_MODE_FIXED)
		return config->fixed_us;
	longest_us = (socket_receive_rtt_us(source) + socket_rtt_us(target)) / RTT_SHARE;
	if (longest_us > TICK_MAX_US)
		longest_us = TICK_MAX_US;
	if (longest_us < TICK_MIN_US)
		return 0;
	if (interval_us > longest_us)
		interval_us = longest_us;
	return interval_us < TICK_MIN_US ? TICK_MIN_US : (uint32_t)interval_us;
}

static void pace_begin_window(struct pace *pace, ev_tstamp now)
{
	pace->since = now;
	pace->bytes = 0;
	pace->ticks = 0;
}

uint32_t pace_woken(struct pace *pace, const struct tick_config *config, size_t n, ev_tstamp now,
		    int source, int target)
{
	double elapsed_s = now - pace->since;

	if (config->mode == TICK_MODE_OFF)
		return 0;
	pace->bytes += n;
	if (elapsed_s < WINDOW_S)
		return 0;
	/* A window that lasted long was mostly silence. */
	if ((double)pace->bytes * WINDOW_S >= (double)TICK_BYTES_MIN * elapsed_s)
		pace->bulk_windows++;
	else
		pace->bulk_windows = 0;
	if (pace->bulk_windows >= BULK_WINDOWS) {
		double bytes_per_s = (double)pace->bytes / elapsed_s;

		pace->bulk_windows = 0;
		pace_begin_window(pace, now);
		return pace_choose(config, bytes_per_s, source, target);
	}
	pace_begin_window(pace, now);
	return 0;
}

uint32_t pace_ticked(struct pace *pace, const struct tick_config *config, size_t n, ev_tstamp now,
		     int source, int target, uint32_t interval_us)
{
	double bytes_per_s;

	pace->bytes += n;
	if (n < TICK_BYTES_LITTLE) {
		pace->bulk_windows = 0;
		pace_begin_window(pace, now);
		return 0;
	}
	if (++pace->ticks < TICKS_PER_CHOICE)
		return interval_us;
	bytes_per_s = (double)pace->bytes / (now - pace->since);
	pace_begin_window(pace, now);
	return pace_choose(config, bytes_per_s, source, target);
}
