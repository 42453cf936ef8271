/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds what the kernel receives ahead of a target that does not keep up: the source's receive
 * buffer follows the rate at which the target takes. Only for flows whose target was ever too slow.
 */
#ifndef HAWSER_BACKLOG_H
#define HAWSER_BACKLOG_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct backlog {
	ev_tstamp since; /* start of the window in which the rate is measured */
	uint64_t bytes;	 /* the flow's count then */
	uint32_t size;	 /* of the receive buffer, as set; 0: left to the kernel's autotuning */
	bool unable;
};

/* After each look at a flow that has taken bytes in all; blocked: its target did not accept all of
 * it. Does nothing while the flow was never blocked. Needs CAP_NET_ADMIN, without it the kernel's
 * autotuning stays (net.core.rmem_max would make too small a buffer). */
void backlog_update(struct backlog *backlog, int source, bool blocked, uint64_t bytes,
		    ev_tstamp now);

#endif
