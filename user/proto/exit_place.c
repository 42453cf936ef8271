/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/exit_place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int exit_place_from_host(struct exit_place *out, const char *text, size_t len, uint16_t port)
{
	const char *comma = memchr(text, ',', len);
	const size_t first = comma ? (size_t)(comma - text) : len;
	const size_t from = first + 1 + (comma ? strspn(comma + 1, " ") : 0);
	struct destination other;

	*out = (struct exit_place){0};
	if (destination_from_host(&out->destination, text, first, port))
		return -EINVAL;
	if (!comma)
		return 0;
	if (from >= len || destination_from_host(&other, text + from, len - from, port) ||
	    other.host[0] || out->destination.host[0] ||
	    address_family(&other.address) == address_family(&out->destination.address))
		return -EINVAL;
	out->also = other.address;
	return 0;
}

int exit_place_parse(const char *text, struct exit_place *out)
{
	const char *comma = strchr(text, ',');
	const char *last = comma ? comma + 1 + strspn(comma + 1, " ") : text;
	struct destination behind;

	/* Which knows where the port begins. */
	if (destination_parse(last, &behind))
		return -EINVAL;
	return exit_place_from_host(out, text, (size_t)(strrchr(text, ':') - text), behind.port);
}

const char *exit_place_format(const struct exit_place *place, char out[EXIT_PLACE_TEXT_MAX])
{
	char last[ADDRESS_TEXT_MAX];

	destination_format(&place->destination, out);
	if (place->also.sa.sa_family != AF_UNSPEC)
		sprintf(strrchr(out, ':'), ",%s", address_format(&place->also, last));
	return out;
}

const char *exit_place_format_host(const struct exit_place *place, char out[EXIT_PLACE_TEXT_MAX])
{
	const struct destination *to = &place->destination;
	char last[ADDRESS_TEXT_MAX];

	if (to->host[0])
		snprintf(out, EXIT_PLACE_TEXT_MAX, "%s", to->host);
	else
		address_format_ip(&to->address, out);
	if (place->also.sa.sa_family != AF_UNSPEC)
		sprintf(out + strlen(out), ",%s", address_format_ip(&place->also, last));
	return out;
}
