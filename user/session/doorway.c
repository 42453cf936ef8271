/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session/doorway.h"

#include <errno.h>
#include <stdlib.h>

struct doorway_source {
	union address address;
	size_t count; /* at least 1 */
	struct doorway_place *first;
	struct doorway_place **last;
	struct doorway_source *next;
};

static struct doorway_source **find(const struct doorway *doorway, const union address *client)
{
	const union address address = address_source(client);
	struct doorway_source **link = (struct doorway_source **)&doorway->sources;

	while (*link && !address_same_ip(&(*link)->address, &address))
		link = &(*link)->next;
	return link;
}

struct doorway_place *doorway_find_next(const struct doorway *doorway, const union address *client)
{
	const struct doorway_source *own = *find(doorway, client);
	const struct doorway_source *worst = doorway->sources;

	if (own && own->count >= doorway->max / 2)
		return own->first;
	if (!worst || doorway->count < doorway->max)
		return NULL;
	for (const struct doorway_source *source = worst; source; source = source->next)
		if (source->count > worst->count)
			worst = source;
	return worst->first;
}

size_t doorway_count(const struct doorway *doorway, const union address *client)
{
	const struct doorway_source *source = *find(doorway, client);

	return source ? source->count : 0;
}

int doorway_enter(struct doorway *doorway, struct doorway_place *place, const union address *client,
		  void *owner)
{
	struct doorway_source **link = find(doorway, client);
	struct doorway_source *source = *link;

	if (!source) {
		source = calloc(1, sizeof(*source));
		if (!source)
			return -ENOMEM;
		source->address = address_source(client);
		source->last = &source->first;
		*link = source;
	}
	*place = (struct doorway_place){.owner = owner, .source = source, .link = source->last};
	*source->last = place;
	source->last = &place->next;
	source->count++;
	doorway->count++;
	return 0;
}

void doorway_leave(struct doorway *doorway, struct doorway_place *place)
{
	struct doorway_source *source = place->source;

	if (!source)
		return;
	place->source = NULL;
	*place->link = place->next;
	if (place->next)
		place->next->link = place->link;
	else
		source->last = place->link;
	doorway->count--;
	if (--source->count > 0)
		return;
	*find(doorway, &source->address) = source->next;
	free(source);
}
