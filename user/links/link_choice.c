/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which link a new connection begins on: of those that work, by weight. */
#include "links/link_choice.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include "links/link.h"
#include "net/netlink.h"
#include "net/way.h"
#include "shared/affinity.h"

/* By how much a primary link is preferred to a shared one. */
#define PRIMARY_FACTOR 4

static bool same_end(const union address *a, const union address *b)
{
	return address_same_ip(a, b) && address_port(a) == address_port(b);
}

static bool same_choice(const struct link_choice *a, const struct link_choice *b)
{
	return strcmp(a->name, b->name) == 0 && a->device == b->device && a->slot == b->slot &&
	       a->weight == b->weight && a->backup == b->backup && a->spent == b->spent &&
	       address_same_ip(&a->sources[IP_V4], &b->sources[IP_V4]) &&
	       address_same_ip(&a->sources[IP_V6], &b->sources[IP_V6]) && a->portal == b->portal &&
	       same_end(&a->portal_at, &b->portal_at) &&
	       address_same_ip(&a->portal_sources[IP_V4], &b->portal_sources[IP_V4]) &&
	       address_same_ip(&a->portal_sources[IP_V6], &b->portal_sources[IP_V6]);
}

bool link_choices_same(const struct link_choices *a, const struct link_choices *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (!same_choice(&a->links[i], &b->links[i]))
			return false;
	return a->count == b->count;
}

void link_choices_make(struct link_choices *choices, const struct link *links, size_t count,
		       struct link_news *news)
{
	for (size_t i = 0; i < count; i++) {
		const struct link *link = &links[i];
		struct link_choice *choice = &choices->links[choices->count];

		/* One that does not work is no choice, but a default route through it is no reason
		 * to leave the choice to the kernel. */
		if (!link->device)
			continue;
		snprintf(choice->name, sizeof(choice->name), "%s", link->config.name);
		choice->device = link->device;
		choice->slot = link_slot(link->table);
		choice->weight = link->config.weight *
				 (link->config.role == LINK_ROLE_PRIMARY ? PRIMARY_FACTOR : 1);
		choice->backup = link_is_backup(link);
		choice->spent = link->state == LINK_STATE_QUOTA;
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			if (link->paths[family].works)
				choice->sources[family] = link->paths[family].address;
		choices->count++;
	}
	choices->news = choices->count > 0 ? news : NULL;
}

static struct link_choice *find_slot(struct link_choices *choices, unsigned int slot)
{
	for (size_t i = 0; i < choices->count; i++)
		if (choices->links[i].slot == slot)
			return &choices->links[i];
	return NULL;
}

void link_choices_open_door(struct link_choices *choices, const struct link *link,
			    const union address *at)
{
	struct link_choice *choice = find_slot(choices, link_slot(link->table));

	if (!choice)
		return;
	choice->portal = true;
	choice->portal_at = *at;
	for (enum ip_family family = 0; family < IP_FAMILIES; family++)
		if (link->paths[family].routed)
			choice->portal_sources[family] = link->paths[family].address;
}

const struct link_choice *link_choices_portal(const struct link_choices *choices, int slot)
{
	const struct link_choice *choice =
		slot < 0 ? NULL : find_slot((struct link_choices *)choices, (unsigned int)slot);

	return choice && choice->portal ? choice : NULL;
}

int link_picker_init(struct link_picker *picker, unsigned int offset)
{
	*picker = (struct link_picker){.offset = offset, .routes = netlink_open(NETLINK_ROUTE)};
	if (!picker->routes)
		return -errno;
	/* Without it, each dial asks. */
	(void)way_remember(picker->routes);
	return 0;
}

void link_picker_fini(struct link_picker *picker)
{
	netlink_close(picker->routes);
	picker->routes = NULL;
}

void link_picker_update(struct link_picker *picker, const struct link_choices *choices)
{
	picker->choices = *choices;
	memset(picker->credits, 0, sizeof(picker->credits));
}

static bool works(const struct link_choice *link, enum ip_family family, bool backup)
{
	return link->sources[family].sa.sa_family != AF_UNSPEC && link->backup == backup;
}

/* Smooth weighted round robin: each candidate gains its weight, the richest is taken and pays what
 * all have gained. */
static const struct link_choice *take_turn(struct link_picker *picker, enum ip_family family,
					   bool backup)
{
	const struct link_choices *choices = &picker->choices;
	int *credits = picker->credits[family];
	size_t best = choices->count;
	int total = 0;

	for (size_t i = 0; i < choices->count; i++) {
		size_t index = (i + picker->offset) % choices->count;
		const struct link_choice *link = &choices->links[index];

		if (!works(link, family, backup))
			continue;
		credits[index] += (int)link->weight;
		total += (int)link->weight;
		if (best == choices->count || credits[index] > credits[best])
			best = index;
	}
	if (best == choices->count)
		return NULL;
	credits[best] -= total;
	return &choices->links[best];
}

const struct link_choice *link_picker_take_turn(struct link_picker *picker, enum ip_family family)
{
	const struct link_choice *link = take_turn(picker, family, false);

	return link ? link : take_turn(picker, family, true);
}

static const struct link_choice *stick(const struct link_picker *picker, enum ip_family family,
				       bool backup, const struct affinity_asker *asker)
{
	const struct link_choices *choices = &picker->choices;
	const struct link_choice *links[LINKS_MAX];
	struct affinity_way ways[LINKS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < choices->count; i++) {
		const struct link_choice *link = &choices->links[i];

		if (!works(link, family, backup))
			continue;
		links[count] = link;
		ways[count++] = (struct affinity_way){
			.id = affinity_hash(asker->affinity, link->name, strlen(link->name)),
			.weight = link->weight,
		};
	}
	return count > 0 ? links[affinity_choose(asker, AFFINITY_LINK, ways, count)] : NULL;
}

const struct link_choice *link_picker_stick(const struct link_picker *picker, enum ip_family family,
					    const struct affinity_asker *asker)
{
	const struct link_choice *link = stick(picker, family, false, asker);

	return link ? link : stick(picker, family, true, asker);
}

const struct link_choice *link_picker_other(const struct link_picker *picker, enum ip_family family,
					    uint32_t tried, bool backup)
{
	const struct link_choices *choices = &picker->choices;

	for (size_t i = 0; i < choices->count; i++)
		if (works(&choices->links[i], family, backup) &&
		    !(tried & 1U << choices->links[i].slot))
			return &choices->links[i];
	return NULL;
}

bool link_picker_has_others(const struct link_picker *picker)
{
	size_t count[IP_FAMILIES] = {0};

	for (size_t i = 0; i < picker->choices.count; i++)
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			count[family] +=
				picker->choices.links[i].sources[family].sa.sa_family != AF_UNSPEC;
	return count[IP_V4] > 1 || count[IP_V6] > 1;
}

static const struct link_choice *find_device(const struct link_choices *choices, int device)
{
	for (size_t i = 0; i < choices->count; i++)
		if (choices->links[i].device == device)
			return &choices->links[i];
	return NULL;
}

int link_picker_choose(struct link_picker *picker, const union address *to,
		       const struct affinity_asker *asker, const struct link_choice **out)
{
	const enum ip_family family = address_family(to);
	const struct link_choice *by_default;
	int device;

	*out = NULL;
	if (picker->choices.count == 0 || address_is_loopback(to))
		return 0;
	device = route_find_default(picker->routes, to);
	if (device < 0)
		return 0;
	by_default = find_device(&picker->choices, device);
	/* A default route through what is no link, as a VPN, is how somebody wants it. */
	if (device > 0 && !by_default)
		return 0;
	*out = asker ? link_picker_stick(picker, family, asker)
		     : link_picker_take_turn(picker, family);
	return !*out && by_default && by_default->spent ? -ENETUNREACH : 0;
}
