/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where exits were that have a name, in a file that survives restarts: so a start without a name
 * server finds them. Main thread only. */
#ifndef HAWSER_UPSTREAM_EXIT_MEMORY_H
#define HAWSER_UPSTREAM_EXIT_MEMORY_H

struct config;
struct ev_loop;
struct exit_memory;

/* NULL without memory. */
struct exit_memory *exit_memory_open(struct ev_loop *loop);

/* Writes what is new. NULL is allowed. */
void exit_memory_close(struct exit_memory *memory);

/* From now on keeps the exits of config, and tells those of which nothing is known where they were.
 */
void exit_memory_configure(struct exit_memory *memory, const struct config *config);

#endif
