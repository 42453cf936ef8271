/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which link a new connection begins on: of those that work, by weight, that of its client and
 * destination, or in turns. One picker for each worker; changes nothing in the system. */
#ifndef HAWSER_LINKS_LINK_CHOICE_H
#define HAWSER_LINKS_LINK_CHOICE_H

#include <stddef.h>

#include "config/link_config.h"

struct affinity_asker;
struct link;
struct link_news;
struct netlink;

/* A link, as the main thread tells the workers. */
struct link_choice {
	char name[LINK_NAME_MAX + 1];
	int device;
	unsigned int slot; /* link_slot() */
	unsigned int weight;
	bool backup;
	bool spent; /* its quota is used up: nothing may begin there, also when the kernel would */
	union address sources[IP_FAMILIES]; /* to bind to; AF_UNSPEC: no way out */
	/* Of one behind a portal, for clients that go to log in: to bind to, and who answers. */
	bool portal;
	union address portal_sources[IP_FAMILIES];
	union address portal_at; /* AF_UNSPEC: not known */
};

/* count 0: there is nothing to choose, the kernel does. */
struct link_choices {
	struct link_news *news; /* where to tell what sessions notice; NULL: nowhere */
	size_t count;
	struct link_choice links[LINKS_MAX];
};

struct link_picker {
	struct link_choices choices;
	int credits[IP_FAMILIES][LINKS_MAX];
	unsigned int offset;	/* where ties begin, so that workers do not choose alike */
	struct netlink *routes; /* to ask the kernel */
};

/* Appends those links that new connections may begin on. news: see there. */
void link_choices_make(struct link_choices *choices, const struct link *links, size_t count,
		       struct link_news *news);
/* The link is behind a portal that answers at this address. */
void link_choices_open_door(struct link_choices *choices, const struct link *link,
			    const union address *at);

/* The one in this slot that is behind a portal; NULL: none is there, or not any more. */
const struct link_choice *link_choices_portal(const struct link_choices *choices, int slot);

bool link_choices_same(const struct link_choices *a, const struct link_choices *b);

/* 0 or -errno; link_picker_fini() is allowed in any case. */
int link_picker_init(struct link_picker *picker, unsigned int offset);
void link_picker_fini(struct link_picker *picker);

void link_picker_update(struct link_picker *picker, const struct link_choices *choices);

/* The link to begin on, and to bind to sources[] of, for a destination that is reached by a
 * default route, or by none; *out NULL: leave it to the kernel. Valid until the next update. asker
 * NULL: links take turns. 0, or -ENETUNREACH when the only way is by a link whose quota is used up.
 */
int link_picker_choose(struct link_picker *picker, const union address *to,
		       const struct affinity_asker *asker, const struct link_choice **out);

/* The same without asking what the route is. */
const struct link_choice *link_picker_take_turn(struct link_picker *picker, enum ip_family family);
const struct link_choice *link_picker_stick(const struct link_picker *picker, enum ip_family family,
					    const struct affinity_asker *asker);

/* Another than those whose slots' bits are in tried, a backup or none; NULL: none works. */
const struct link_choice *link_picker_other(const struct link_picker *picker, enum ip_family family,
					    uint32_t tried, bool backup);

/* Whether more than one link works in a family. */
bool link_picker_has_others(const struct link_picker *picker);

#endif
