/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The links of this host: follows what the kernel says of them, has them set up, and tells what
 * they are. Main thread only. */
#ifndef HAWSER_LINKS_LINKS_H
#define HAWSER_LINKS_LINKS_H

#include <stddef.h>

#include "links/link.h"
#include "links/link_choice.h"
#include "links/link_history.h"
#include "links/link_probe.h"
#include "links/link_rates.h"
#include "links/quota_usage.h"

struct config;
struct on_event;
struct ev_loop;
struct link_portal;
struct link_upkeep;
struct links;

/* The choices for new connections are others than before. */
typedef void links_changed_fn(void *context, const struct link_choices *choices);

/* Starts to follow the links that config names, and sets them up where it may. Without any it only
 * takes back what a hawserd that was killed has left. NULL without memory; what the kernel refuses
 * is no error. on_event learns of events, and outlives it. */
struct links *links_open(struct ev_loop *loop, const struct config *config,
			 struct on_event *on_event, links_changed_fn *changed, void *context);

/* From now on config holds. */
void links_configure(struct links *links, const struct config *config);

/* Another hawserd manages them from now on: all that is set up stays, and nothing is looked at any
 * more. */
void links_leave(struct links *links);

/* Whether links have raised the limit of subflows: then they set it back to this at their end, at
 * the latest. NULL is allowed. */
bool links_take_limit(struct links *links, uint32_t subflows);

/* A speed test goes on, or has ended. NULL is allowed. */
void links_test(struct links *links, bool goes_on);

/* Takes back all that was set up. NULL is allowed. */
void links_close(struct links *links);

/* All links, valid until control returns to the loop. */
const struct link *links_list(const struct links *links, size_t *count);

/* What the interface of the index-th link has carried, whoever sent it. */
const struct link_rates *links_meter(const struct links *links, size_t index);

/* What probes have found of it. */
struct link_echoes links_echoes(const struct links *links, size_t index);

/* What it has used of its quota; NULL: it has none. */
const struct quota_usage *links_usage(const struct links *links, size_t index);

/* What is known of the portal that the index-th link is behind; NULL: it is behind none. */
const struct link_portal *links_portal(const struct links *links, size_t index);

/* The index-th event of those that are kept, oldest first; NULL after the last. */
const struct link_event *links_event(const struct links *links, size_t index);

/* The link that has this address; NULL if none has, or links is NULL. */
const struct link *links_find(const struct links *links, const union address *address);

const struct link_upkeep *links_upkeep(const struct links *links);

/* Why links are only looked at, not set up; "" when they are set up, or there are none. */
const char *links_reason(const struct links *links);

/* An interface that is no link as there are LINKS_MAX already; "": none. */
const char *links_left_out(const struct links *links);

#endif
