/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolv.conf, read once for many c-ares channels, with what c-ares 1.18 passes over in it. */
#ifndef HAWSER_NAMES_NAME_SERVERS_H
#define HAWSER_NAMES_NAME_SERVERS_H

#include <ares.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_SERVERS_FILE "/etc/resolv.conf"
#define NAME_SERVERS_MAX  8

struct name_servers;

/* What resolv.conf says now. NULL, after logging why: out of memory, or c-ares cannot read it. */
struct name_servers *name_servers_load(void);
void name_servers_free(struct name_servers *servers);

/* Link-local name servers and the interfaces behind which they are. */
struct name_servers_zones {
	size_t count;
	struct {
		struct in6_addr address;
		uint32_t interface;
	} zone[NAME_SERVERS_MAX];
};

/* A channel as resolv.conf has it. zones is filled in, and must stay until ares_destroy(). 0 or
 * -ENOMEM. */
int name_servers_open(const struct name_servers *servers, ares_channel *channel,
		      ares_sock_state_cb on_socket_state, void *data,
		      struct name_servers_zones *zones);

#endif
