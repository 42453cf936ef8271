/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history as text, as its file has it. Pure. */
#ifndef HAWSER_HISTORY_HISTORY_TEXT_H
#define HAWSER_HISTORY_HISTORY_TEXT_H

#include "history/history.h"

/* malloc'ed; NULL without memory. */
char *history_text_write(const struct history *history);

/* Adds what it says, up to the first line that makes no sense: *line is its number, 0 when all
 * does. 0 or -ENOMEM. */
int history_text_read(struct history *history, const char *text, unsigned int *line);

#endif
