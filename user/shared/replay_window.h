/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refuses what is too old, too new, or was there before: a bounded memory of nonces. Not for
 * several threads at once, and without a clock. */
#ifndef HAWSER_SHARED_REPLAY_WINDOW_H
#define HAWSER_SHARED_REPLAY_WINDOW_H

#include <stdint.h>

#include "proto/hop_message.h"

/* A time stamp may be so much older or newer than our clock. The second is small, since what was
 * stamped ahead of the clock can be replayed for that long after a restart. */
#define REPLAY_PAST_MS	30000
#define REPLAY_AHEAD_MS 5000

#define REPLAY_NONCES_MAX 8192

struct replay_window;

enum replay_verdict {
	REPLAY_FRESH,
	REPLAY_TIME, /* outside the window */
	REPLAY_SEEN,
};

/* now_ms: nothing stamped before this is taken, as it may have been seen by a process that is gone.
 * NULL when out of memory. */
struct replay_window *replay_window_open(uint64_t now_ms);
void replay_window_close(struct replay_window *replay); /* NULL is allowed */

/* Judges a message and remembers it if it is fresh. When the memory is full the oldest nonce makes
 * room, and nothing that is not stamped later than it is taken any more: REPLAY_TIME. */
enum replay_verdict replay_window_check(struct replay_window *replay, uint64_t time_ms,
					const uint8_t nonce[static HOP_NONCE_BYTES],
					uint64_t now_ms);

#endif
