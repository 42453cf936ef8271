/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An address for each link that is nobody's (RFC 5737). By that link it is asked whether a portal
 * answers for it; who connects to it through hawserd is on the way to that portal. */
#ifndef HAWSER_LINKS_PORTAL_DOOR_H
#define HAWSER_LINKS_PORTAL_DOOR_H

#include "base/address.h"

#define PORTAL_DOOR_URL_MAX sizeof("http://255.255.255.255/")

/* Port 80. slot: link_slot() of a link. */
union address portal_door(unsigned int slot);

/* The slot; -1 if it is none. */
int portal_door_slot(const union address *address);

/* Returns out, filled with the URL that leads there. */
const char *portal_door_url(unsigned int slot, char out[PORTAL_DOOR_URL_MAX]);

#endif
