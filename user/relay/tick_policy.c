/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one direction has been doing lately: is it bulk, and how often is it to be looked at? */
#include "relay/tick_policy.h"

#include "net/socket.h"

static uint32_t pace_choose(const struct relay_config *config, double bytes_per_s, int source,
			    int target)
{
	const struct tune *tune = &config->tune;
	double interval_us = tune->tick_bytes / bytes_per_s * 1e6;
	double longest_us;

	if (config->tick.mode == TICK_MODE_FIXED)
		return config->tick.fixed_us;
	longest_us = (socket_receive_rtt_us(source) + socket_rtt_us(target)) /
		     (double)tune->tick_rtt_share;
	if (longest_us > tune->tick_max_us)
		longest_us = tune->tick_max_us;
	if (longest_us < tune->tick_min_us)
		return 0;
	if (interval_us > longest_us)
		interval_us = longest_us;
	return interval_us < tune->tick_min_us ? tune->tick_min_us : (uint32_t)interval_us;
}

static void pace_begin_window(struct pace *pace, ev_tstamp now)
{
	pace->since = now;
	pace->bytes = 0;
	pace->ticks = 0;
}

uint32_t pace_woken(struct pace *pace, const struct relay_config *config, size_t n, ev_tstamp now,
		    int source, int target)
{
	const struct tune *tune = &config->tune;
	double elapsed_s = now - pace->since;
	double window_s = tune->tick_window_us / 1e6;

	if (config->tick.mode == TICK_MODE_OFF)
		return 0;
	pace->bytes += n;
	if (elapsed_s < window_s)
		return 0;
	/* A window that lasted long was mostly silence. */
	if ((double)pace->bytes * window_s >= tune->tick_bytes_min * elapsed_s)
		pace->bulk_windows++;
	else
		pace->bulk_windows = 0;
	if (pace->bulk_windows >= tune->tick_windows) {
		double bytes_per_s = (double)pace->bytes / elapsed_s;

		pace->bulk_windows = 0;
		pace_begin_window(pace, now);
		return pace_choose(config, bytes_per_s, source, target);
	}
	pace_begin_window(pace, now);
	return 0;
}

uint32_t pace_ticked(struct pace *pace, const struct relay_config *config, size_t n, ev_tstamp now,
		     int source, int target, uint32_t interval_us)
{
	double bytes_per_s;

	pace->bytes += n;
	if (n < config->tune.tick_bytes_little) {
		pace->bulk_windows = 0;
		pace_begin_window(pace, now);
		return 0;
	}
	if (++pace->ticks < config->tune.tick_choice)
		return interval_us;
	bytes_per_s = (double)pace->bytes / (now - pace->since);
	pace_begin_window(pace, now);
	return pace_choose(config, bytes_per_s, source, target);
}
