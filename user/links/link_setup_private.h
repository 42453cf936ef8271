/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What link_setup.c, routes and rules, link_limits.c and link_endpoints.c share. */
#ifndef HAWSER_LINKS_LINK_SETUP_PRIVATE_H
#define HAWSER_LINKS_LINK_SETUP_PRIVATE_H

#include <stdbool.h>

#include "config/config.h"
#include "links/link_journal.h"
#include "links/link_offers.h"
#include "links/link_setup.h"
#include "net/mptcp_pm.h"

#define WANTED_ROUTES_MAX    ((size_t)LINKS_MAX * IP_FAMILIES)
#define WANTED_RULES_MAX     (WANTED_ROUTES_MAX * 2)
#define WANTED_ENDPOINTS_MAX LINK_JOURNAL_ENDPOINTS_MAX

struct wanted {
	struct net_route routes[WANTED_ROUTES_MAX];
	size_t route_count;
	struct net_rule rules[WANTED_RULES_MAX];
	size_t rule_count;
	struct mptcp_pm_endpoint endpoints[WANTED_ENDPOINTS_MAX]; /* the most important first */
	size_t endpoint_count;
	union address spent[WANTED_ROUTES_MAX]; /* of links whose quota is used up */
	size_t spent_count;
	union address resting[WANTED_ROUTES_MAX]; /* of metered ones that are not needed, and that
						     there is no room for any more */
	size_t resting_count;
	union address captive[WANTED_ROUTES_MAX]; /* of links behind a portal */
	size_t captive_count;
	union address known[WANTED_ROUTES_MAX]; /* of all links that are not off */
	size_t known_count;
	/* Of ours, of links that are off or not there any more, while the interface is. */
	union address gone[LINK_JOURNAL_ENDPOINTS_MAX];
	size_t gone_count;
	bool works[IP_FAMILIES]; /* there is an endpoint by which something comes */
	bool any_link;		 /* that is not off */
};

/* What of our state others can delete. */
enum kind { KIND_RULE, KIND_ROUTE, KIND_ENDPOINT, KIND_LIMIT, KINDS };

struct link_setup {
	struct netlink *netlink;
	struct mptcp_pm *pm; /* NULL: the kernel has no MPTCP */
	struct link_journal *record;
	struct link_journal_data data;
	struct link_offers offers;
	uint32_t endpoint_flags;
	uint16_t exit_ports[EXITS_MAX];
	size_t exit_port_count;
	double mesh_look_s; /* when to see whether endpoints can get these; 0: all have them */
	double mesh_wait_s; /* the last wait for that */
	struct wanted last; /* what was wanted before: what of it is not there, others deleted */
	size_t capacity;    /* so many endpoints the kernel keeps; 0: not known, as it took all */
	/* Of the last apply. */
	int err;	  /* the first */
	char refused[96]; /* what it concerns */
	char crowded[LINK_SETUP_CROWDED_MAX];
	unsigned int restored[KINDS];
	char restored_text[80];
};

/* Goes on after an error, and keeps the first, and what it concerns. 0 is none. */
void link_setup_note(struct link_setup *setup, int err, const char *what,
		     const union address *address);

/* Raises the limits of the kernel, or raises them again. 0 or -errno. */
int link_limits_raise(struct link_setup *setup);
void link_limits_restore(struct link_setup *setup);
bool link_limits_are_lowered(const struct link_setup *setup);

/* Has the kernel hold the endpoints that are wanted, and no other of ours. wanted also gets those
 * that stay for now. What single ones meet is noted; 0 or -errno of a fault that concerns all. */
int link_endpoints_apply(struct link_setup *setup, struct wanted *wanted);

bool link_endpoints_want(const struct wanted *wanted, const union address *address);

/* Whether one is not as it was set, or there is room for more. */
bool link_endpoints_are_disturbed(const struct link_setup *setup);

#endif
