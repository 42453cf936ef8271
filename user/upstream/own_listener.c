/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where our own listeners are. */
#include "upstream/own_listener.h"

#include "net/way.h"

int own_listener_is_at(const struct config *config, struct netlink *routes, const union address *to)
{
	int own = 0;

	for (size_t i = 0; i < config->listen_count; i++) {
		const union address *listening = &config->listen[i].address;

		if (address_port(listening) != address_port(to) ||
		    listening->sa.sa_family != to->sa.sa_family)
			continue;
		/* connect() takes 0.0.0.0 and :: for an address of its own choice. */
		if (address_is_any(to) || address_same_ip(listening, to))
			return 1;
		if (address_is_any(listening))
			own = route_is_own(routes, to);
		if (own)
			return own;
	}
	return 0;
}
