/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients that are on their way through a captive portal, and by which link. Bounded memory. Any
 * thread. */
#ifndef HAWSER_SHARED_PORTAL_GUESTS_H
#define HAWSER_SHARED_PORTAL_GUESTS_H

#include <stdint.h>

#include "base/address.h"

/* From when a client last opened the door of a portal. */
#define PORTAL_GUEST_S 300.

#define PORTAL_GUESTS_MAX 16 /* the one that came first makes room */

struct portal_guests;

/* NULL when out of memory. */
struct portal_guests *portal_guests_open(void);
void portal_guests_close(struct portal_guests *guests); /* NULL is allowed */

/* The client goes through the portal of the link in this slot. now_s: of any steady clock. */
void portal_guests_note(struct portal_guests *guests, const union address *client,
			unsigned int slot, double now_s);

/* The slot; -1: it does not. Costs next to nothing while there are no guests. */
int portal_guests_find(struct portal_guests *guests, const union address *client, double now_s);

/* Of links in these slots, as bits: their portal is gone. When it comes back, nobody is on his way.
 */
void portal_guests_forget(struct portal_guests *guests, uint32_t slots);

#endif
