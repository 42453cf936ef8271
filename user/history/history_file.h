/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file in which the history survives restarts, and power cuts. One hawserd at a time has it. */
#ifndef HAWSER_HISTORY_HISTORY_FILE_H
#define HAWSER_HISTORY_HISTORY_FILE_H

#include "history/history.h"

struct history_file;

/* Takes hold of it in this directory, which is made if need be. NULL with errno set: EWOULDBLOCK
 * while another hawserd has it. */
struct history_file *history_file_open(const char *directory);
void history_file_close(struct history_file *file); /* NULL is allowed; does not write */

/* Adds what it says, of a damaged one what can be read. 0 or -errno, ENOENT if there is none. */
int history_file_read(const struct history_file *file, struct history *history);

/* Replaces it in one step; others cannot read it. 0 or -errno. */
int history_file_write(const struct history_file *file, const struct history *history);

#endif
