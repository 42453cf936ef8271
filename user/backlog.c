/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds what the kernel receives ahead of a slow target. */
#include "backlog.h"

#include <stdbool.h>
#include <sys/socket.h>

/* The buffer holds what the target takes in this time. It may double every few windows, which is
 * about as fast as the sender's slow start on a path long enough to need more. */
#define AHEAD_S	 1.
#define WINDOW_S 0.1

/* Windows in a row that must ask for more: the burst that fills the buffers behind a slow target
 * makes it look fast for one. */
#define GROW_WINDOWS 2

#define BUFFER_MIN (1024U * 1024U)
#define BUFFER_MAX (32U * 1024U * 1024U)

static bool buffer_set(int fd, uint32_t size)
{
	/* The kernel doubles what it is given, for its own bookkeeping (socket(7)). */
	int half = (int)(size / 2);

	return !setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof(half));
}

/* Never smaller than before: a buffer below the window that was offered makes MPTCP stall for good,
 * when it is full of what came too early by one subflow (run on 6.18). */
static void backlog_grow(struct backlog *backlog, int source, uint32_t size)
{
	if (buffer_set(source, size))
		backlog->size = size;
}

void backlog_reserve(int fd)
{
	buffer_set(fd, BUFFER_MIN);
}

void backlog_begin(struct backlog *backlog, int source, ev_tstamp now)
{
	backlog->since = now;
	backlog_grow(backlog, source, BUFFER_MIN);
}

void backlog_update(struct backlog *backlog, int source, uint64_t bytes, ev_tstamp now)
{
	double want;

	if (backlog->size == 0 || now - backlog->since < WINDOW_S)
		return;
	want = (double)(bytes - backlog->bytes) / (now - backlog->since) * AHEAD_S;
	backlog->since = now;
	backlog->bytes = bytes;
	if (want > 2. * backlog->size)
		want = 2. * backlog->size;
	if (want > BUFFER_MAX)
		want = BUFFER_MAX;
	backlog->windows = want > backlog->size ? backlog->windows + 1 : 0;
	if (backlog->windows == GROW_WINDOWS) {
		backlog->windows = 0;
		backlog_grow(backlog, source, (uint32_t)want);
	}
}
