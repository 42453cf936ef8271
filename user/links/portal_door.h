/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two addresses for each link that are nobody's (RFC 5737). By that link one is asked whether a
 * portal answers for it; who connects to the other, the door, through hawserd is on the way to that
 * portal. They are two, as else a hawserd behind this one would be on that way by its questions. */
#ifndef HAWSER_LINKS_PORTAL_DOOR_H
#define HAWSER_LINKS_PORTAL_DOOR_H

#include "base/address.h"
#include "proto/portal_answer.h"

#define PORTAL_DOOR_URL_MAX sizeof("http://255.255.255.255/")

/* Port 80. slot: link_slot() of a link. */
union address portal_door(unsigned int slot);
union address portal_nobody(unsigned int slot);

/* The slot of the link; -1: it is no door, which has port 80 alone: what pages load by HTTPS makes
 * nobody a guest. */
int portal_door_slot(const union address *address);

/* Each returns out, filled with the URL that leads there. */
const char *portal_door_url(unsigned int slot, char out[PORTAL_DOOR_URL_MAX]);
const char *portal_nobody_url(unsigned int slot, char out[PORTAL_DOOR_URL_MAX]);

/* What an answer from the address of nobody refers to there is to be opened by the door. */
void portal_door_lead(unsigned int slot, char location[PORTAL_LOCATION_MAX]);

#endif
