/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nftables table that sends a LAN's connections to hawserd, as commands for nft. Pure: asks and
 * changes nothing. */
#ifndef HAWSER_INTERCEPT_NFT_RULES_H
#define HAWSER_INTERCEPT_NFT_RULES_H

#include "base/address.h"
#include "config/intercept_method.h"

#define INTERCEPT_TABLE_NAME "hawser"
#define INTERCEPT_TABLE	     "inet " INTERCEPT_TABLE_NAME
/* By TPROXY, what leads to all others. */
#define INTERCEPT_PREROUTING "prerouting"
/* Of nfnetlink_log: first packets that hawserd holds until the dial stands. */
#define INTERCEPT_HOLD_GROUP 684
#define INTERCEPT_READY	     "add element " INTERCEPT_TABLE " ready { ipv4, ipv6 }\n"

enum { INTERCEPT_IPV4, INTERCEPT_IPV6, INTERCEPT_FAMILIES };

struct json_object;

struct intercept_plan {
	enum intercept_method method;
	struct json_object *lan;    /* array of names of interfaces */
	struct json_object *bypass; /* as in hawserd's answer; NULL: none */
	bool hold;		    /* first packets, until hawserd admits them; by TPROXY */
	bool needs_route;	    /* what has none is left alone */
	bool transparent_source;    /* hawserd has connections from clients' addresses */
	bool in_force;		    /* an earlier plan is, as it was, and is to be changed */
	uint32_t auto_bypass;	    /* one in so many to what has no MPTCP is taken; 0: all are */
	union address listener[INTERCEPT_FAMILIES]; /* AF_UNSPEC: the family is left alone */
};

/* Commands that put the table, whether there was one or not, into exactly this state; by TPROXY,
 * nothing is taken before INTERCEPT_READY, in a transaction of its own. malloc'ed; NULL when out of
 * memory. */
char *nft_rules_text(const struct intercept_plan *plan);

/* The same for a table of an earlier plan that is in force: it takes connections all the time, and
 * what hawserd said in sets, and the counters, stay. The kernel refuses that for a table of another
 * method or version. */
char *nft_rules_change(const struct intercept_plan *plan);

#endif
