/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds what the kernel receives ahead of a slow target: a source's receive buffer grows only as
 * the target takes bytes, not as fast as we can read at first. */
#ifndef HAWSER_BACKLOG_H
#define HAWSER_BACKLOG_H

#include <ev.h>
#include <stdint.h>

struct backlog {
	ev_tstamp since;  /* start of the window in which the rate is measured */
	uint64_t bytes;	  /* the flow's count then */
	uint32_t size;	  /* of the receive buffer in bytes; 0: left to the kernel's autotuning */
	uint32_t windows; /* in a row that asked for a larger one */
};

/* Before connect() or listen(), which hands it on: makes the buffer as large as backlog_begin()
 * will, so that the first window that is offered is. A sender with two MPTCP subflows that runs
 * into the end of a 64 KiB window may send wrong bytes (run on 6.18; see ARCHITECTURE.md). */
void backlog_reserve(int fd);

/* Before the first byte. Needs CAP_NET_ADMIN; without it the kernel's autotuning stays, since
 * net.core.rmem_max would make too small a buffer. */
void backlog_begin(struct backlog *backlog, int source, ev_tstamp now);

/* After each look at a flow that has taken bytes in all. */
void backlog_update(struct backlog *backlog, int source, uint64_t bytes, ev_tstamp now);

#endif
