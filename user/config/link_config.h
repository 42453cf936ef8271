/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a link (a WAN) is: words and types that configuration, path set-up and output share. */
#ifndef HAWSER_CONFIG_LINK_CONFIG_H
#define HAWSER_CONFIG_LINK_CONFIG_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define LINKS_MAX	    16
#define LINK_NAME_MAX	    31
#define LINK_WEIGHT_DEFAULT 1
#define LINK_WEIGHT_MAX	    100
#define LINK_RESET_DAY_MAX  31
#define LINK_PROBES_MAX	    4

enum links_mode {
	LINKS_LISTED, /* those that the configuration names */
	LINKS_AUTO,   /* and every interface with a default route */
	LINKS_MANUAL, /* figures of those that it names; somebody else sets up paths */
};

enum link_role {
	LINK_ROLE_PRIMARY, /* new connections begin here by preference */
	LINK_ROLE_SHARED,
	LINK_ROLE_BACKUP,  /* when no other works */
	LINK_ROLE_METERED, /* likewise, or when all others are full */
	LINK_ROLE_OFF,	   /* left alone */
};

struct link_bytes {
	uint64_t rx;
	uint64_t tx;
};

struct link_config {
	char name[LINK_NAME_MAX + 1];
	char device[IF_NAMESIZE];
	enum link_role role;
	unsigned int weight;
	struct link_bytes rate;		      /* a second, that it can carry; 0: not known */
	uint64_t quota;			      /* bytes of both directions, a month; 0: none */
	unsigned int reset_day;		      /* of the month, 1 to LINK_RESET_DAY_MAX */
	union address gateway[IP_FAMILIES];   /* AF_UNSPEC: found in the routing tables */
	union address probe[LINK_PROBES_MAX]; /* who is asked; none: gateway and exits */
	size_t probe_count;
	unsigned int probe_quorum; /* so many of a family must answer; 0: one */
	bool no_probe;		   /* nobody is asked */
	bool no_demote;		   /* not even where it lowers the sum */
};

struct links_config {
	enum links_mode mode;
	struct link_config *link; /* no two have the same name or device */
	size_t count;		  /* at most LINKS_MAX */
};

enum portal_mode {
	PORTAL_AUTO, /* whoever answers for an address that is nobody's is a portal */
	PORTAL_URL,
	PORTAL_OFF,
};

#define PORTAL_URL_MAX	256 /* with its NUL; of one that is configured */
#define PORTAL_TEXT_MAX 256 /* of what is expected to come */

/* How it is found out whether a link leads to nothing but a page to log in at. */
struct portal_config {
	enum portal_mode mode;
	char *url; /* of PORTAL_URL, "http://HOST[:PORT][/PATH]" */
	struct destination at;
	char *answer; /* what its body begins with; NULL: there is none */
};

/* For output and settings; NULL ends them. */
extern const char *const links_mode_words[];
extern const char *const link_role_words[];

/* Whether there is anything to look at. */
bool links_are_wanted(const struct links_config *config);

#endif
