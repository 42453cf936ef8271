/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a pair of directions is chatty, and how soon again after that went wrong. */
#include "accel/sockmap_policy.h"

bool sockmap_policy_moved(struct sockmap_policy *policy, const struct tune *tune,
			  enum direction direction, size_t n, ev_tstamp now)
{
	bool chatty;

	if (n == 0)
		return false;
	if (now - policy->since > tune->chat_window_us / 1e6) {
		policy->since = now;
		policy->turns = 0;
		policy->bytes = 0;
	}
	policy->bytes += n;
	if (direction == policy->last)
		return false;
	policy->last = direction;
	policy->turns++;
	chatty = policy->turns >= tune->chat_turns && sockmap_policy_talks(policy, tune);
	return chatty && sockmap_policy_may_enter(policy, now);
}

bool sockmap_policy_talks(const struct sockmap_policy *policy, const struct tune *tune)
{
	return policy->turns > 0 && policy->bytes <= (uint64_t)policy->turns * tune->chat_bytes;
}

bool sockmap_policy_may_enter(const struct sockmap_policy *policy, ev_tstamp now)
{
	return now >= policy->not_before;
}

void sockmap_policy_entered(struct sockmap_policy *policy, ev_tstamp now)
{
	policy->entered = now;
}

void sockmap_policy_left(struct sockmap_policy *policy, const struct tune *tune, ev_tstamp now)
{
	ev_tstamp good_since =
		policy->entered > policy->not_before ? policy->entered : policy->not_before;

	if (policy->backoff_ms == 0 || now - good_since > tune->chat_backoff_max_ms / 1e3)
		policy->backoff_ms = tune->chat_backoff_ms;
	policy->not_before = now + policy->backoff_ms / 1e3;
	policy->backoff_ms *= 2;
	if (policy->backoff_ms > tune->chat_backoff_max_ms)
		policy->backoff_ms = tune->chat_backoff_max_ms;
	policy->since = 0;
	policy->turns = 0;
}
