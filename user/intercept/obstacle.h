/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of this host would keep a LAN's connections from hawserd, so that interception would cut the
 * LAN off instead. */
#ifndef HAWSER_INTERCEPT_OBSTACLE_H
#define HAWSER_INTERCEPT_OBSTACLE_H

#include "intercept/nft_walk.h"
#include "intercept/plan.h"

/* All of these: true with a fault when there is such a thing. */

/* bridge-netfilter takes TPROXY's socket from what comes in by a bridge. Cheap. */
bool intercept_bridge_spoils(const struct intercept_plan *plan, struct intercept_fault *fault);

/* Rules drop what comes to hawserd from one of the interfaces. rules: as intercept_list_rules()
 * tells them; NULL: not known. */
bool intercept_firewall_drops(const struct intercept_plan *plan, struct json_object *rules,
			      struct intercept_fault *fault);

/* An interface of the LAN is a link of hawserd's, or has a default route. */
bool intercept_lan_is_wan(const struct intercept_plan *plan, struct json_object *settings,
			  struct intercept_fault *fault);

/* The first two, with the rules as they are now. */
bool intercept_is_obstructed(const struct intercept_plan *plan, struct intercept_fault *fault);

/* Whether rules drop a packet that comes by each interface but loopback; by_one: by any of them. A
 * rule for loopback lets nobody else in. place: as nft_walk_drops() fills it in. */
bool intercept_drops_strangers(struct json_object *rules, struct nft_packet packet, bool by_one,
			       char place[NFT_WALK_PLACE_MAX]);

#endif
