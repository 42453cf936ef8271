/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one direction has been doing lately: is it bulk, and how often is it to be looked at? */
#include "relay/tick_policy.h"

#include "net/socket.h"

static uint32_t tick_policy_choose(const struct relay_config *config, double bytes_per_s,
				   int source, int target)
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

static void tick_policy_begin_window(struct tick_policy *policy, ev_tstamp now)
{
	policy->since = now;
	policy->bytes = 0;
	policy->ticks = 0;
}

uint32_t tick_policy_woken(struct tick_policy *policy, const struct relay_config *config, size_t n,
			   ev_tstamp now, int source, int target)
{
	const struct tune *tune = &config->tune;
	double elapsed_s = now - policy->since;
	double window_s = tune->tick_window_us / 1e6;

	if (config->tick.mode == TICK_MODE_OFF)
		return 0;
	policy->bytes += n;
	if (elapsed_s < window_s)
		return 0;
	/* A window that lasted long was mostly silence. */
	if ((double)policy->bytes * window_s >= tune->tick_bytes_min * elapsed_s)
		policy->bulk_windows++;
	else
		policy->bulk_windows = 0;
	if (policy->bulk_windows >= tune->tick_windows) {
		double bytes_per_s = (double)policy->bytes / elapsed_s;

		policy->bulk_windows = 0;
		tick_policy_begin_window(policy, now);
		return tick_policy_choose(config, bytes_per_s, source, target);
	}
	tick_policy_begin_window(policy, now);
	return 0;
}

uint32_t tick_policy_ticked(struct tick_policy *policy, const struct relay_config *config, size_t n,
			    ev_tstamp now, int source, int target, uint32_t interval_us)
{
	double bytes_per_s;

	policy->bytes += n;
	if (n < config->tune.tick_bytes_little) {
		policy->bulk_windows = 0;
		tick_policy_begin_window(policy, now);
		return 0;
	}
	if (++policy->ticks < config->tune.tick_choice)
		return interval_us;
	bytes_per_s = (double)policy->bytes / (now - policy->since);
	tick_policy_begin_window(policy, now);
	return tick_policy_choose(config, bytes_per_s, source, target);
}
