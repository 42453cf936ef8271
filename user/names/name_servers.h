/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolv.conf, read once for many c-ares channels, with what c-ares 1.18 passes over in it. */
#ifndef HAWSER_NAMES_NAME_SERVERS_H
#define HAWSER_NAMES_NAME_SERVERS_H

#include <ares.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

#define NAME_SERVERS_FILE "/etc/resolv.conf"
#define NAME_SERVERS_MAX  8

struct log_seldom;
struct name_servers;

/* What resolv.conf says now. If it cannot be read, after logging why, as often as told allows: what
 * c-ares takes then, or NULL unless any will do. NULL also when out of memory. */
struct name_servers *name_servers_load(struct log_seldom *told, bool any, bool *is_read);
void name_servers_free(struct name_servers *servers);

/* How a channel connects to name servers. */
struct name_servers_way {
	/* The caller's, before each question: from where; AF_UNSPEC: the kernel's choice. A
	 * link-local name server is asked from its own link. */
	union address sources[IP_FAMILIES];
	/* Link-local name servers and the interfaces behind which they are. */
	size_t zone_count;
	struct {
		struct in6_addr address;
		char interface[IF_NAMESIZE];
	} zones[NAME_SERVERS_MAX];
};

/* A channel as resolv.conf has it. The zones of way are filled in; it must stay until
 * ares_destroy(). 0 or -ENOMEM. */
int name_servers_open(const struct name_servers *servers, ares_channel *channel,
		      ares_sock_state_cb on_socket_state, void *data, struct name_servers_way *way);

#endif
