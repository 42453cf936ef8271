/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds what the kernel receives ahead of a target that does not keep up. */
#include "backlog.h"

#include <sys/socket.h>

/* The buffer holds what the target takes in this time. From the least size it can then double with
 * each round trip of up to half of this, so that no path is held below what its target would take.
 */
#define AHEAD_S 1.

#define BUFFER_MIN (1024U * 1024U)
#define BUFFER_MAX (32U * 1024U * 1024U)

/* Rates over shorter times are bursts. A burst that fills the buffers behind the target still looks
 * like a fast target for one window, so the size at most doubles per window. */
#define WINDOW_S 0.25

static void backlog_set(struct backlog *backlog, int source, uint32_t size)
{
	/* The kernel doubles what it is given, for its own bookkeeping (socket(7)). */
	int half = (int)(size / 2);

	if (setsockopt(source, SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof(half)))
		backlog->unable = true;
	else
		backlog->size = size;
}

void backlog_update(struct backlog *backlog, int source, bool blocked, uint64_t bytes,
		    ev_tstamp now)
{
	double want;

	if (backlog->unable || (backlog->size == 0 && !blocked))
		return;
	if (backlog->size == 0) {
		backlog_set(backlog, source, BUFFER_MIN);
	} else {
		if (now - backlog->since < WINDOW_S)
			return;
		want = (double)(bytes - backlog->bytes) / (now - backlog->since) * AHEAD_S;
		if (want < BUFFER_MIN)
			want = BUFFER_MIN;
		if (want > 2. * backlog->size)
			want = 2. * backlog->size;
		if (want > BUFFER_MAX)
			want = BUFFER_MAX;
		/* Small changes are not worth a system call. */
		if (want > 1.5 * backlog->size || want < 0.5 * backlog->size)
			backlog_set(backlog, source, (uint32_t)want);
	}
	backlog->since = now;
	backlog->bytes = bytes;
}
