/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether each link reaches the exits: connects to them by TCP, from the link's address, and closes
 * at once. A link that reaches none of those that another link reaches is at fault: its line may be
 * dead behind a modem that answers. Main thread only. */
#ifndef HAWSER_LINKS_EXIT_REACH_H
#define HAWSER_LINKS_EXIT_REACH_H

#include "links/link.h"

/* An exit at most has one address of each family here. */
#define EXIT_TARGETS_MAX 4

struct ev_loop;
struct exit_reach;
struct link_signs;

struct exit_target {
	const void *exit; /* which; only compared */
	union address address;
};

/* NULL without memory. changed: a verdict is another, or there is someone else to ask. */
struct exit_reach *exit_reach_open(struct ev_loop *loop, void (*changed)(void *context),
				   void *context);
void exit_reach_close(struct exit_reach *reach); /* NULL is allowed */

/* Who is to be reached from now on, at most EXIT_TARGETS_MAX; to be told again and again, as
 * addresses change. Another address of the same exit and family waits until the one that is asked
 * has not answered for long. One that answers is asked again after idle_s. */
void exit_reach_target(struct exit_reach *reach, const struct exit_target *targets, size_t count,
		       double idle_s);

/* From now on asks by those of these links that work, rest not, and have no other targets. */
void exit_reach_follow(struct exit_reach *reach, const struct link *links, size_t count);

/* What sessions notice: whose connect was slow is asked at once. */
void exit_reach_sign(struct exit_reach *reach, const struct link_signs *signs);

/* As link_probes_take_doubts(). */
uint32_t exit_reach_take_doubts(struct exit_reach *reach);

/* Whether this path reaches no exit that another link reaches. One of a family in which nobody is
 * asked shares the fate of the other. */
bool exit_reach_silent(const struct exit_reach *reach, const struct link *link,
		       enum ip_family family);

#endif
