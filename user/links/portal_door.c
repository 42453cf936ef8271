/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "links/portal_door.h"

#include <stdio.h>
#include <string.h>

#include "config/link_config.h"

/* 203.0.113.101 and so on, in TEST-NET-3, where examples seldom are. */
#define FIRST 0xcb007165U
/* 198.51.100.101 and so on, in TEST-NET-2. */
#define FIRST_NOBODY 0xc6336465U

static union address address_of(uint32_t number)
{
	const struct in_addr ip = {htonl(number)};
	union address address;

	address_from_bytes(&address, AF_INET, &ip, 80);
	return address;
}

union address portal_door(unsigned int slot)
{
	return address_of(FIRST + slot);
}

union address portal_nobody(unsigned int slot)
{
	return address_of(FIRST_NOBODY + slot);
}

int portal_door_slot(const union address *address)
{
	uint32_t slot;

	if (address->sa.sa_family != AF_INET || address_port(address) != 80)
		return -1;
	slot = ntohl(address->in4.sin_addr.s_addr) - FIRST;
	return slot < LINKS_MAX ? (int)slot : -1;
}

static const char *url_of(uint32_t number, char out[PORTAL_DOOR_URL_MAX])
{
	const union address address = address_of(number);
	char text[ADDRESS_TEXT_MAX];

	snprintf(out, PORTAL_DOOR_URL_MAX, "http://%s/", address_format_ip(&address, text));
	return out;
}

const char *portal_door_url(unsigned int slot, char out[PORTAL_DOOR_URL_MAX])
{
	return url_of(FIRST + slot, out);
}

const char *portal_nobody_url(unsigned int slot, char out[PORTAL_DOOR_URL_MAX])
{
	return url_of(FIRST_NOBODY + slot, out);
}

void portal_door_lead(unsigned int slot, char location[PORTAL_LOCATION_MAX])
{
	char nobody[PORTAL_DOOR_URL_MAX], door[PORTAL_DOOR_URL_MAX];
	char led[PORTAL_LOCATION_MAX];
	const size_t len = strlen(portal_nobody_url(slot, nobody));

	if (strncmp(location, nobody, len) != 0)
		return;
	snprintf(led, sizeof(led), "%s%s", portal_door_url(slot, door), location + len);
	memcpy(location, led, sizeof(led));
}
