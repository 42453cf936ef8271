/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pieces of ours in text files that others write, too: between two comments that name them. Pure.
 */
#ifndef HAWSER_SETUP_TEXT_BLOCK_H
#define HAWSER_SETUP_TEXT_BLOCK_H

/* The text with a block of this name: in the place of the one that it has, else at its end. body:
 * whole lines; NULL: without the block. The result is the caller's; NULL without memory. */
char *text_block_set(const char *text, const char *name, const char *body);

/* The lines within the block; "": there is none. The caller's; NULL without memory. */
char *text_block_get(const char *text, const char *name);

#endif
