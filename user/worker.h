/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One thread with its own loop, resolver, listeners and sessions. Other threads reach it only by
 * worker_call(). */
#ifndef HAWSER_WORKER_H
#define HAWSER_WORKER_H

#include <stddef.h>

#include "stats.h"

struct worker;

/* These three are called by the main thread only; they wait for the worker, which answers between
 * two rounds of its loop. */

/* Copies the worker's counters. */
void worker_get_stats(struct worker *worker, struct stats *out);

/* Rows of all its sessions, malloc'ed, to be freed by the caller. NULL and 0 when there are none or
 * no memory. */
struct session_row *worker_get_sessions(struct worker *worker, size_t *count);

#endif
