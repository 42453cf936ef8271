/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pure: what the nftables rules of this host do to packets, as far as it is certain. A match that
 * is not understood may match or not. The format is that of libnftables-json(5), with numbers where
 * there is a name for one, too. */
#ifndef HAWSER_INTERCEPT_NFT_WALK_H
#define HAWSER_INTERCEPT_NFT_WALK_H

#include <json-c/json.h>
#include <stdbool.h>

#include "intercept/nft_match.h"

#define NFT_WALK_PLACE_MAX 128

/* rules: the answer to "list ruleset". True if no such packet passes; place then names a base chain
 * that lets none through, as "inet filter input". */
bool nft_walk_drops(struct json_object *rules, const struct nft_packet *packet,
		    char place[NFT_WALK_PLACE_MAX]);

/* True if a rule drops packets with MPTCP's option (RFC 8684 section 3), or takes it from them;
 * place then names it, as "inet filter input handle 7". Chains that only see what is routed are
 * left out. */
bool nft_walk_spoils_mptcp(struct json_object *rules, char place[NFT_WALK_PLACE_MAX]);

#endif
