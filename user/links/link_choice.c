/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which link a new connection begins on: of those that work, in turns by weight. */
#include "links/link_choice.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include "net/netlink.h"
#include "net/way.h"

int link_picker_init(struct link_picker *picker, unsigned int offset)
{
	*picker = (struct link_picker){.offset = offset, .routes = netlink_open(NETLINK_ROUTE)};
	return picker->routes ? 0 : -errno;
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

static const struct link_choice *find_device(const struct link_choices *choices, int device)
{
	for (size_t i = 0; i < choices->count; i++)
		if (choices->links[i].device == device)
			return &choices->links[i];
	return NULL;
}

int link_picker_choose(struct link_picker *picker, const union address *to,
		       const struct link_choice **out)
{
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
	*out = link_picker_take_turn(picker, address_family(to));
	return !*out && by_default && by_default->spent ? -ENETUNREACH : 0;
}
