/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which exits new sessions use, and the user's program is run for when it is another. Main thread.
 */
#ifndef HAWSER_UPSTREAM_EXIT_TELL_H
#define HAWSER_UPSTREAM_EXIT_TELL_H

struct config;
struct ev_loop;
struct exit_tell;
struct on_event;

/* on_event outlives it. NULL when out of memory. */
struct exit_tell *exit_tell_open(struct ev_loop *loop, struct on_event *on_event);
void exit_tell_close(struct exit_tell *tell); /* NULL is allowed */

/* From now on looks once a second at the exits of config, which lives until the next call: those
 * that answer, of the first priority that has any. "exit-changed" when they are others than before,
 * "no-exit" when there is none any more. */
void exit_tell_configure(struct exit_tell *tell, const struct config *config);

#endif
