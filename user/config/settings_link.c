/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: judged and stored. */
#include <stdio.h>
#include <string.h>

#include "config/settings_private.h"

static bool is_link_name(const char *name)
{
	return *name && strlen(name) <= LINK_NAME_MAX &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789-_.")];
}

int settings_add_link(struct draft *draft)
{
	struct links_config *links = &draft->config->links;
	const struct value *name = &draft->item.name;
	struct link_config *link = &draft->item.link;
	struct link_config *added;

	if (!is_link_name(name->text))
		return value_refuse(name,
				    "expected a name of 1 to %d ASCII letters, digits, '-', '_' "
				    "and '.'",
				    LINK_NAME_MAX);
	for (size_t i = 0; i < links->count; i++) {
		if (strcmp(links->link[i].name, name->text) == 0)
			return value_refuse(name,
					    "a second link of this name; expected every name once");
		if (strcmp(links->link[i].device, link->device) == 0)
			return value_refuse(name,
					    "%s is the interface of link \"%s\" already; expected "
					    "one link for each",
					    link->device, links->link[i].name);
	}
	if (links->count == LINKS_MAX)
		return value_refuse(name, "one link too many; expected at most %d", LINKS_MAX);
	added = settings_grow(name, &links->link, &links->count, sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = *link;
	snprintf(added->name, sizeof(added->name), "%s", name->text);
	return 0;
}

/* A lone address, as prefix_parse() takes one. */
static int read_address(const struct value *value, const char *expected, union address *out)
{
	struct prefix prefix;

	if (strchr(value->text, '/') || prefix_parse(value->text, &prefix) ||
	    address_is_any(&prefix.base))
		return value_refuse(value, "expected %s", expected);
	*out = prefix.base;
	return 0;
}

/* One of each family. */
int settings_gateway(const struct value *value, const struct limits *limits, void *out)
{
	static const char expected[] = "an IP address, or a list of one IPv4 and one IPv6 address";
	union address *gateways = out;
	union address gateway;
	int err = read_address(value, expected, &gateway);

	(void)limits;
	if (err)
		return err;
	gateways += address_family(&gateway);
	if (gateways->sa.sa_family != AF_UNSPEC)
		return value_refuse(value, "a second gateway of this family; expected %s",
				    expected);
	*gateways = gateway;
	return 0;
}

int settings_probe(const struct value *value, const struct limits *limits, void *out)
{
	struct link_config *link = out;
	const bool off = strcmp(value->text, "off") == 0;

	(void)limits;
	if (link->no_probe || (off && link->probe_count > 0))
		return value_refuse(value, "off beside something else; expected off alone, or "
					   "addresses");
	link->no_probe = off;
	if (off)
		return 0;
	if (link->probe_count == LINK_PROBES_MAX)
		return value_refuse(value, "one address too many; expected at most %d",
				    LINK_PROBES_MAX);
	return read_address(value, "off, an IP address, or a list of up to 4",
			    &link->probe[link->probe_count++]);
}
