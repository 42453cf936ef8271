/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replaces a small text file again and again, without a wait for the disk. */
#ifndef HAWSER_BASE_TEXT_SAVER_H
#define HAWSER_BASE_TEXT_SAVER_H

#include <ev.h>

struct text_saver;

/* name: of the file, of mode 0644; it outlives this. told(): how it went, 0 or -errno; directory is
 * where, until it returns. What could not be written is tried again each minute, and told of each
 * time. NULL without memory. */
struct text_saver *text_saver_open(struct ev_loop *loop, const char *name,
				   void (*told)(void *owner, const char *directory, int err),
				   void *owner);

/* As text_saver_flush(). NULL is allowed. */
void text_saver_close(struct text_saver *saver);

/* Soon the file in this directory has this text; what waits for its turn is replaced by it. */
void text_saver_put(struct text_saver *saver, const char *directory, const char *text);

/* Waits until all is written, or has failed once more. */
void text_saver_flush(struct text_saver *saver);

#endif
