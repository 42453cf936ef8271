/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client prefers, by Accept and its like (RFC 9110 section 12.5). Pure. */
#ifndef HAWSER_WEB_ACCEPT_H
#define HAWSER_WEB_ACCEPT_H

#include <stdbool.h>

/* The greatest weight, from 0 to 1, that the list gives to the word, or to all others when is_word
 * is false; 0 when it names none. NULL is a list of nothing. */
double accept_weight(const char *list, const char *word, bool is_word);

#endif
