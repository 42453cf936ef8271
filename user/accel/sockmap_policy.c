/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a pair of directions is chatty, and how soon again after that went wrong. */
#include "accel/sockmap_policy.h"

bool chat_moved(struct chat *chat, const struct tune *tune, bool up, size_t n, ev_tstamp now)
{
	bool chatty;

	if (n == 0)
		return false;
	if (now - chat->since > tune->chat_window_us / 1e6) {
		chat->since = now;
		chat->turns = 0;
		chat->bytes = 0;
	}
	chat->bytes += n;
	if (up == chat->up)
		return false;
	chat->up = up;
	chat->turns++;
	chatty = chat->turns >= tune->chat_turns &&
		 chat->bytes <= (uint64_t)chat->turns * tune->chat_bytes;
	return chatty && chat_may_enter(chat, now);
}

bool chat_may_enter(const struct chat *chat, ev_tstamp now)
{
	return now >= chat->not_before;
}

void chat_entered(struct chat *chat, ev_tstamp now)
{
	chat->entered = now;
}

void chat_left(struct chat *chat, const struct tune *tune, ev_tstamp now)
{
	ev_tstamp good_since = chat->entered > chat->not_before ? chat->entered : chat->not_before;

	if (chat->backoff_ms == 0 || now - good_since > tune->chat_backoff_max_ms / 1e3)
		chat->backoff_ms = tune->chat_backoff_ms;
	chat->not_before = now + chat->backoff_ms / 1e3;
	chat->backoff_ms *= 2;
	if (chat->backoff_ms > tune->chat_backoff_max_ms)
		chat->backoff_ms = tune->chat_backoff_max_ms;
	chat->since = 0;
	chat->turns = 0;
}
