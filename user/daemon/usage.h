/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What links, exits and clients have carried, gathered once a minute and kept in a file. Main
 * thread. */
#ifndef HAWSER_DAEMON_USAGE_H
#define HAWSER_DAEMON_USAGE_H

#include <stddef.h>

struct config;
struct ev_loop;
struct history;
struct links;
struct usage;
struct worker;

/* Workers and links outlive it. NULL when out of memory. */
struct usage *usage_open(struct ev_loop *loop, struct worker *const *workers, size_t worker_count,
			 const struct links *links);

/* Gathers and writes for the last time. NULL is allowed. */
void usage_close(struct usage *usage);

/* From now on config holds, until the next call. Waits for no disk, unless
 * the history ends or has another directory. */
void usage_configure(struct usage *usage, const struct config *config);

/* Begins to write all up to now. */
void usage_write(struct usage *usage);

/* The same, and waits until it is done: for the disk, and for another hawserd that writes. */
void usage_flush(struct usage *usage);

/* All up to now; NULL while it is off. Valid until control returns to the loop. */
const struct history *usage_history(struct usage *usage);

/* Why it is in no file; "": it is or will be, or it is off. */
const char *usage_fault(const struct usage *usage);

#endif
