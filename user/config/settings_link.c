/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of links: judged and stored. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ifname.h"
#include "config/settings.h"

static bool is_link_name(const char *name)
{
	return *name && strlen(name) <= LINK_NAME_MAX &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789-_.")];
}

int settings_add_link(struct draft *draft, const struct value *name, const struct value *device)
{
	struct links_config *links = &draft->config->links;
	struct link_config *grown;
	struct link_config link = {
		.role = LINK_ROLE_SHARED, .weight = LINK_WEIGHT_DEFAULT, .reset_day = 1};

	if (!is_link_name(name->text))
		return value_refuse(name,
				    "\"%s\" cannot be a link's name; legal: 1 to %d ASCII letters, "
				    "digits, '-', '_' and '.'",
				    name->text, LINK_NAME_MAX);
	if (!ifname_is_legal(device->text))
		return value_refuse(device, "\"%s\" cannot be an interface; legal: " IFNAME_LEGAL,
				    device->text);
	for (size_t i = 0; i < links->count; i++) {
		if (strcmp(links->link[i].name, name->text) == 0)
			return value_refuse(name, "a second link \"%s\"; legal: every name once",
					    name->text);
		if (strcmp(links->link[i].device, device->text) == 0)
			return value_refuse(device,
					    "the interface of link \"%s\" already; legal: one link "
					    "for each",
					    links->link[i].name);
	}
	if (links->count == LINKS_MAX)
		return value_refuse(name, "one link too many; legal: at most %d", LINKS_MAX);
	grown = reallocarray(links->link, links->count + 1, sizeof(*grown));
	if (!grown)
		return value_refuse_no_memory(name);
	snprintf(link.name, sizeof(link.name), "%s", name->text);
	snprintf(link.device, sizeof(link.device), "%s", device->text);
	links->link = grown;
	links->link[links->count++] = link;
	return 0;
}

/* A lone address, as prefix_parse() takes one; one of each family, of IP_FAMILIES addresses. */
static int set_link_address(union address *addresses, const struct value *value, const char *what,
			    const char *legal)
{
	struct prefix prefix;
	union address *address;

	if (strchr(value->text, '/') || prefix_parse(value->text, &prefix) ||
	    address_is_any(&prefix.base))
		return value_refuse(value, "not a valid %s; legal: %s", what, legal);
	address = &addresses[address_family(&prefix.base)];
	if (address->sa.sa_family != AF_UNSPEC)
		return value_refuse(value, "a second %s of this family; legal: %s", what, legal);
	*address = prefix.base;
	return 0;
}

static int set_link_gateway(struct link_config *link, const struct value *value)
{
	return set_link_address(link->gateway, value, "gateway",
				"an IP address, or a list of one IPv4 and one IPv6 address");
}

static int set_link_probe(struct link_config *link, const struct value *value)
{
	const bool off = strcmp(value->text, "off") == 0;
	const bool has_address = link->probe[IP_V4].sa.sa_family != AF_UNSPEC ||
				 link->probe[IP_V6].sa.sa_family != AF_UNSPEC;

	if (link->no_probe || (off && has_address))
		return value_refuse(value, "\"off\" beside something else; legal: "
					   "off alone, or addresses");
	link->no_probe = off;
	return off ? 0
		   : set_link_address(link->probe, value, "address to be probed",
				      "off, an IP address, or a list of one IPv4 and one IPv6 "
				      "address");
}

/* A whole number, with K, M, G or T behind it for powers of 1000; not 0. */
static int read_scaled(const struct value *value, const char *legal, uint64_t *out)
{
	static const char scales[] = "KMGT";
	char *end;
	const char *scale;
	uint64_t number;

	errno = 0;
	number = strtoull(value->text, &end, 10);
	scale = *end ? strchr(scales, *end) : NULL;
	for (; scale && scale >= scales && number <= UINT64_MAX / 1000; scale--)
		number *= 1000;
	if (value->text[0] < '0' || value->text[0] > '9' || errno || number == 0 ||
	    (*end && (!strchr(scales, *end) || end[1])) || (scale && scale >= scales))
		return value_refuse(value, "not a number that can be used; legal: %s", legal);
	*out = number;
	return 0;
}

static int set_link_rate(uint64_t *rate, const struct value *value)
{
	int err = read_scaled(value, "bits per second, as 50M", rate);

	if (!err)
		*rate = (*rate + 7) / 8;
	return err;
}

static int set_link_number(unsigned int *number, const struct value *value, unsigned int most,
			   const char *what)
{
	const unsigned long read = strtoul(value->text, NULL, 10);

	if (!*value->text || value->text[strspn(value->text, "0123456789")] || read < 1 ||
	    read > most)
		return value_refuse(value, "not a %s; legal: 1 to %u", what, most);
	*number = (unsigned int)read;
	return 0;
}

static int set_link_demote(struct link_config *link, const struct value *value)
{
	static const char *const words[] = {"yes", "no", NULL};
	const int word = settings_choose_word(value, words);

	link->no_demote = word == 1;
	return word < 0 ? word : 0;
}

int settings_set_link(struct draft *draft, const char *setting, const struct value *value)
{
	struct links_config *links = &draft->config->links;
	struct link_config *link = &links->link[links->count - 1];
	int role;

	if (strcmp(setting, "gateway") == 0)
		return set_link_gateway(link, value);
	if (strcmp(setting, "probe") == 0)
		return set_link_probe(link, value);
	if (strcmp(setting, "weight") == 0)
		return set_link_number(&link->weight, value, LINK_WEIGHT_MAX, "weight");
	if (strcmp(setting, "rate-down") == 0)
		return set_link_rate(&link->rate.rx, value);
	if (strcmp(setting, "rate-up") == 0)
		return set_link_rate(&link->rate.tx, value);
	if (strcmp(setting, "quota") == 0)
		return read_scaled(value, "bytes a month, as 500M or 50G", &link->quota);
	if (strcmp(setting, "reset-day") == 0)
		return set_link_number(&link->reset_day, value, LINK_RESET_DAY_MAX,
				       "day of the month");
	if (strcmp(setting, "demote") == 0)
		return set_link_demote(link, value);
	if (strcmp(setting, "role") == 0) {
		role = settings_choose_word(value, link_role_words);
		if (role < 0)
			return role;
		link->role = (enum link_role)role;
	}
	return 0;
}
