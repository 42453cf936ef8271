/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file in which the history survives restarts, and power cuts. Several hawserds may add to it.
 */
#ifndef HAWSER_HISTORY_HISTORY_FILE_H
#define HAWSER_HISTORY_HISTORY_FILE_H

#include "history/history.h"

/* Whether one can be read and written in this directory, which is made if need be. 0 or -errno. */
int history_file_check(const char *directory);

/* Adds what it says, if there is one, of a damaged one what can be read. 0 or -errno. */
int history_file_read(const char *directory, struct history *history);

/* Adds more to what it says, as what came later; it is replaced in one step, and others cannot read
 * it. 0 or -errno, EWOULDBLOCK while another hawserd does the same. */
int history_file_add(const char *directory, const struct history *more);

#endif
