/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a link is at this moment, by what the kernel says: its address and gateway of each family,
 * and whether it works. Pure: changes nothing in the system. */
#ifndef HAWSER_LINKS_LINK_H
#define HAWSER_LINKS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/link_config.h"
#include "net/net_view.h"

enum link_state {
	LINK_STATE_UP,
	LINK_STATE_OFF,	      /* role = off */
	LINK_STATE_NO_DEVICE, /* no such interface */
	LINK_STATE_DOWN,
	LINK_STATE_NO_CARRIER,
	LINK_STATE_NO_ADDRESS,
	LINK_STATE_NO_GATEWAY,
	LINK_STATE_SAME_ADDRESS, /* another link has it too, and is the one in use */
	LINK_STATE_NO_ANSWER,	 /* swallows packets */
	LINK_STATE_PORTAL,	 /* leads to a page to log in at, and nowhere else */
	LINK_STATE_STANDBY,	 /* works, metered and not needed */
	LINK_STATE_QUOTA,	 /* used up */
	LINK_STATE_TRIAL,	 /* works, set aside to see whether it lowers the sum */
	LINK_STATE_DEMOTED,	 /* works, and lowers the sum */
	LINK_STATES
};

struct link_path {
	union address address; /* AF_UNSPEC: none */
	union address gateway; /* AF_UNSPEC: none, or none needed */
	bool routed;	       /* there is a way out by address, as far as routes are concerned */
	bool works;	       /* routed, the interface has a carrier, not taken out */
	bool known;	       /* gateway, also none, is from a route of the kernel's */
	bool by_route;	       /* which it had a moment ago */
	bool withdrawn;	       /* which was taken away, and none has come since */
	bool taken;	       /* another link with the same address uses it */
	bool deaf;	       /* of a mesh: works, but nothing has come by it for a while */
	double missing_s;      /* since when the route is missing; 0: it is not */
};

/* Bytes a second of all links together, with one of them and without. */
struct link_sums {
	double with;
	double without;
};

/* Of a mesh, in which a routing daemon moves the route of each gateway's prefix from interface to
 * interface, a link is a prefix, and its interface where the route leads at the moment. */
struct link {
	struct link_config config;
	struct prefix from; /* no bits: it is an interface */
	bool automatic;	    /* found, not configured */
	bool shaken;	/* interface or addresses went since the last look, and routes with them */
	uint32_t table; /* its own */
	int device;	/* 0: none */
	enum link_state state;
	double gone_s;	       /* since when it is not there any more; 0: it is, or never was */
	struct link_sums sums; /* why it is demoted; only then */
	struct link_path paths[IP_FAMILIES];
};

/* Fills in device, state and paths. What the paths were before is the gateway's memory: the kernel
 * forgets routes when an interface goes down. A route that went by itself is waited for a moment,
 * as who renews it may take it out first: then *again is set, to look again after
 * LINK_WITHDRAWN_S. now_s is of any steady clock. */
void link_find_paths(struct link *link, const struct net_view *view, double now_s, bool *again);

#define LINK_WITHDRAWN_S 1.

/* Where a VPN that is no link takes what we send, no interface has a default route for us, and no
 * link that was found by itself has one of before. */
void links_obey_vpn(const struct links_config *config, struct net_view *view);

/* Appends to links[0..*count) what mode asks for: those of the configuration, then interfaces that
 * have a default route for plain traffic, but no tunnels, and prefixes of a mesh's gateways. A link
 * that is there already stays as it is, but for its name if a configured one has that. Returns an
 * interface for which there was no room; NULL: none. */
const char *links_collect(const struct links_config *config, const struct net_view *view,
			  struct link links[LINKS_MAX], size_t *count);

/* Whether to forget a link that was found by itself: it has gone for long, or another needs the
 * room. */
bool link_is_over(const struct link *link, bool crowded, double now_s);

/* Of links with the same address one uses it: the one that did, if it works, else one that works.
 * silent: see links_take_out(). */
void links_share_addresses(struct link *links, size_t count, const bool silent[][IP_FAMILIES]);

/* Takes out the paths that are silent, but none of a family in which no other works, and something
 * comes by it. */
void links_take_out(struct link *links, size_t count, const bool silent[][IP_FAMILIES]);

/* Whether no connection begins on it while another works. */
bool link_is_backup(const struct link *link);

/* From 0, below LINKS_MAX, for the link's lifetime. */
unsigned int link_slot(uint32_t table);

/* "up", "no-carrier"…; for output, stable. */
const char *link_state_name(enum link_state state);

#endif
