/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nftables says of our table, made readable. Pure. */
#ifndef HAWSER_INTERCEPT_NFT_STATE_H
#define HAWSER_INTERCEPT_NFT_STATE_H

struct json_object;

/* From `nft -j list table` (NULL: there is no table) an object:
 *   {"up": true, "method": "tproxy", "lan": ["br-lan"],
 *    "counters": {"caught": 12, "bypassed": 0, ...},
 *    "bypass": {"destination": ["10.0.0.0/8"], ...}}
 * Only "up" is always there. The caller owns a reference; NULL when out of memory, or when listing
 * is not what nft writes. */
struct json_object *intercept_state(const char *listing);

#endif
