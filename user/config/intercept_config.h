/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The section "intercept" of the configuration: which connections of a LAN come to the transparent
 * listeners. Settings only; `hawser intercept` puts them into force. */
#ifndef HAWSER_CONFIG_INTERCEPT_CONFIG_H
#define HAWSER_CONFIG_INTERCEPT_CONFIG_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "config/intercept_method.h"

#define MAC_BYTES 6

struct interface {
	char name[IFNAMSIZ];
};

struct port_range { /* host byte order, both included */
	uint16_t first;
	uint16_t last;
};

struct mac {
	uint8_t bytes[MAC_BYTES];
};

struct domain {
	char name[HOST_NAME_MAX_BYTES + 1]; /* in lower case, without a dot at the end */
};

struct intercept_config {
	enum intercept_method method;
	bool up;		 /* in force while hawserd runs */
	bool transparent_source; /* dial from the client's address */
	bool prefer_name;	 /* tell exits the name that a client sends, not the address */
	bool connect_first;	 /* accept what has been dialled, where the method can */
	bool auto_bypass;	 /* route around us what does not speak MPTCP */
	struct interface *lan;
	size_t lan_count;
	/* Never taken: */
	struct prefix *bypass_destination;
	size_t bypass_destination_count;
	struct prefix *bypass_source;
	size_t bypass_source_count;
	struct port_range *bypass_port;
	size_t bypass_port_count;
	struct mac *bypass_mac;
	size_t bypass_mac_count;
	/* Taken, and dialled as plain TCP; with all names below these. */
	struct domain *bypass_domain;
	size_t bypass_domain_count;
};

/* Frees the lists. */
void intercept_config_fini(struct intercept_config *config);

/* Whether a name is one of bypass_domain or below one; in any case, with or without a dot at its
 * end. */
bool intercept_config_bypasses(const struct intercept_config *config, const char *name);

/* Whether it is in bypass_destination, or its port in bypass_port. */
bool intercept_config_bypasses_address(const struct intercept_config *config,
				       const union address *address);

#endif
