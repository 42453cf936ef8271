/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What relay.c, the pair of flows, and relay_park.c, its way into the sockmap and back, share. */
#ifndef HAWSER_RELAY_RELAY_PRIVATE_H
#define HAWSER_RELAY_RELAY_PRIVATE_H

#include "relay/relay.h"

/* Of relay.c: */

/* Moves what a flow has, if user space moves the relay's bytes at all. */
void relay_pump(struct relay *relay, struct flow *flow, struct leg *source, struct leg *target);

/* After every change: is it over, who moves the bytes, and what is each leg to wait for? May free
 * the relay. */
void relay_settle(struct relay *relay);

void relay_source_failed(struct relay *relay, struct flow *flow, struct leg *source);

/* Adds bytes of the flow to the worker's statistics. */
void relay_count(struct relay *relay, const struct flow *flow, uint64_t bytes);

/* events: EV_READ, EV_WRITE; 0: none. */
void leg_watch_io(struct relay *relay, struct leg *leg, int events);

/* Of relay_park.c: */

/* Whether the kernel moves the bytes, so that user space must not touch the sockets. */
bool relay_parked(const struct relay *relay);

/* Whether the two sockets may enter the sockmap. */
bool relay_fits_sockmap(const struct relay *relay);

/* Whether the pair should enter the sockmap, after n bytes of a flow. */
bool relay_is_chatty(struct relay *relay, const struct flow *flow, uint64_t n);

/* Enters if all that was taken has been given. A pair that cannot enter goes on as it is. */
void relay_try_sockmap(struct relay *relay);

#endif
