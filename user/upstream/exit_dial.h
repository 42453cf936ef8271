/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a destination to a connected socket by one of the exits: by priority and weight, that of the
 * client and the destination, on to the next where one fails. */
#ifndef HAWSER_UPSTREAM_EXIT_DIAL_H
#define HAWSER_UPSTREAM_EXIT_DIAL_H

#include "upstream/dial.h"

struct exit_dial;

/* As dial_start(), and notifies as it does; what request points to and first must stay until then.
 * first[0..first_len): the client's first bytes, which leave with the request; the result says
 * whether they did. */
struct exit_dial *exit_dial_start(const struct dial_request *request, const void *first,
				  size_t first_len, dial_fn *notify, void *context);

/* notify is not called any more. */
void exit_dial_cancel(struct exit_dial *dial);

/* The usable exits of the priority that is served first, less those whose bits are in tried: fills
 * out with their indices, and returns how many they are. */
size_t exit_dial_candidates(const struct config *config, uint64_t tried, size_t out[EXITS_MAX]);

/* The exit to try next: a usable one of the lowest priority number, among equals by weight. tried:
 * bits of those that failed already. Its index, or -1. */
int exit_dial_choose(const struct config *config, uint64_t tried,
		     const struct affinity_asker *asker);

#endif
