/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history in its file, and what the file lacks. Writing waits for nobody: not for a slow flash,
 * and not for another hawserd that writes. */
#ifndef HAWSER_HISTORY_HISTORY_STORE_H
#define HAWSER_HISTORY_HISTORY_STORE_H

#include <ev.h>

#include "history/history.h"

struct history_store;

/* The directory is made if need be. NULL without memory. */
struct history_store *history_store_open(struct ev_loop *loop, const char *directory);

/* Writes what is new, and waits until that is done. NULL is allowed. */
void history_store_close(struct history_store *store);

/* history_add() to it. */
void history_store_add(struct history_store *store, enum history_kind kind, const char *name,
		       const char *address, struct history_time when, struct history_bytes bytes);

/* Begins to write what is new, if anything is; after what is being written now. */
void history_store_write(struct history_store *store);

/* The same, and waits until it is done. */
void history_store_flush(struct history_store *store);

/* All of it. NULL without memory. Valid until the next call. */
const struct history *history_store_read(struct history_store *store);

/* When it was written last, by the steady clock, in seconds; from the start on. */
double history_store_written_s(const struct history_store *store);

/* errno of what was last tried with the file. */
int history_store_fault(const struct history_store *store);

#endif
