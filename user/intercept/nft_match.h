/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pure: whether a packet is one that a match of an nftables rule means. */
#ifndef HAWSER_INTERCEPT_NFT_MATCH_H
#define HAWSER_INTERCEPT_NFT_MATCH_H

#include <json-c/json.h>
#include <stdbool.h>

#include "base/address.h"

/* The first packet of a TCP connection to or from this host. */
struct nft_packet {
	bool in;
	union address to;   /* with its port; any address stands for one that is not known */
	const char *device; /* by which it comes or leaves; "": not known */
	uint32_t mark;	    /* a bit of it that is certainly set; 0: nothing is known */
};

/* In this order, so that NO and YES are each other's opposites. */
enum match { MATCH_NO, MATCH_MAYBE, MATCH_YES };

/* match: the statement, in a rule of the chain, whose table may have the set that it means. */
enum match nft_match(const struct nft_packet *packet, struct json_object *list,
		     struct json_object *chain, struct json_object *match);

/* Whether what key names has this value, range or prefix. */
enum match nft_match_value(const struct nft_packet *packet, struct json_object *key,
			   struct json_object *value);

#endif
