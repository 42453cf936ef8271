/* SPDX-License-Identifier: GPL-2.0-or-later */
/* c-ares reads resolv.conf, but drops name servers with a zone, as fe80::1%wan0, which is what
 * router advertisements bring. Those are read here, and the zone is added when c-ares connects. */
#include "names/name_servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_seldom.h"

/* c-ares asks each server in turn, so a dead first one costs this much. */
#define TRY_TIMEOUT_MS 1500
#define TRIES	       3

struct name_servers {
	struct ares_options options;
	int mask;
	/* All of them, in their order: ares_save_options() leaves those with IPv6 out. */
	struct ares_addr_port_node nodes[NAME_SERVERS_MAX];
	size_t count;
	struct name_servers_way way; /* its zones */
};

/* The interface may come later, or again with another index. */
static void add_zone(struct name_servers *servers, const void *address, const char *interface)
{
	struct name_servers_way *way = &servers->way;

	if (if_nametoindex(interface) == 0)
		log_warning(NAME_SERVERS_FILE
			    ": there is no interface %s; its name server is asked when there is",
			    interface);
	memcpy(&way->zones[way->zone_count].address, address, sizeof(struct in6_addr));
	snprintf(way->zones[way->zone_count++].interface, IF_NAMESIZE, "%s", interface);
}

/* text: "ADDRESS" or "ADDRESS%INTERFACE"; anything else is not a name server. */
static void add_server(struct name_servers *servers, char *text)
{
	struct ares_addr_port_node *node = &servers->nodes[servers->count];
	char *zone = strchr(text, '%');

	if (servers->count == NAME_SERVERS_MAX)
		return;
	if (zone)
		*zone++ = '\0';
	*node = (struct ares_addr_port_node){0};
	if (inet_pton(AF_INET, text, &node->addr.addr4) == 1)
		node->family = AF_INET;
	else if (inet_pton(AF_INET6, text, &node->addr.addr6) == 1)
		node->family = AF_INET6;
	else
		return;
	if (zone && node->family == AF_INET6)
		add_zone(servers, &node->addr.addr6, zone);
	servers->count++;
}

/* 0 or -errno; no file is no fault. */
static int read_servers(struct name_servers *servers)
{
	FILE *file = fopen(NAME_SERVERS_FILE, "re");
	char line[512];
	char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " nameserver %62s", text) == 1)
			add_server(servers, text);
	fclose(file);
	for (size_t i = 0; i + 1 < servers->count; i++)
		servers->nodes[i].next = &servers->nodes[i + 1];
	return 0;
}

struct name_servers *name_servers_load(struct log_seldom *told, bool any, bool *is_read)
{
	struct ares_options options = {.timeout = TRY_TIMEOUT_MS, .tries = TRIES};
	struct name_servers *servers = calloc(1, sizeof(*servers));
	ares_channel channel;
	int err;
	int unread = 0;

	*is_read = false;
	if (!servers) {
		if (log_seldom(told))
			log_error("resolver: %s", strerror(ENOMEM));
		return NULL;
	}
	err = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	if (!err) {
		err = ares_save_options(channel, &servers->options, &servers->mask);
		ares_destroy(channel);
	}
	if (!err)
		unread = read_servers(servers);
	*is_read = !err && !unread;
	if (*is_read)
		return servers;
	if (log_seldom(told))
		log_error("resolver: %s: %s",
			  err ? "c-ares cannot start" : "cannot read " NAME_SERVERS_FILE,
			  err ? ares_strerror(err) : strerror(-unread));
	if (any && !err)
		return servers;
	name_servers_free(servers);
	return NULL;
}

void name_servers_free(struct name_servers *servers)
{
	if (!servers)
		return;
	ares_destroy_options(&servers->options);
	free(servers);
}

static ares_socket_t open_socket(int family, int type, int protocol, void *data)
{
	(void)data;
	return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int close_socket(ares_socket_t fd, void *data)
{
	(void)data;
	return close(fd);
}

/* Behind the first of its interfaces that is there. */
static void add_scope(const struct name_servers_way *way, struct sockaddr_in6 *address)
{
	for (size_t i = 0; i < way->zone_count && address->sin6_scope_id == 0; i++)
		if (memcmp(&address->sin6_addr, &way->zones[i].address,
			   sizeof(address->sin6_addr)) == 0)
			address->sin6_scope_id = if_nametoindex(way->zones[i].interface);
}

/* c-ares leaves all to who connects for it: also from where. */
static int connect_socket(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t len,
			  void *data)
{
	const struct name_servers_way *way = data;
	union address to = {0};
	const union address *source;

	memcpy(&to, address, len < sizeof(to) ? len : sizeof(to));
	source = &way->sources[address_family(&to)];
	if (to.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&to.in6.sin6_addr))
		add_scope(way, &to.in6);
	else if (source->sa.sa_family != AF_UNSPEC &&
		 bind(fd, &source->sa, address_length(source)) < 0)
		return -1;
	return connect(fd, &to.sa, address_length(&to));
}

static ares_ssize_t receive(ares_socket_t fd, void *bytes, size_t size, int flags,
			    struct sockaddr *from, ares_socklen_t *from_len, void *data)
{
	(void)data;
	return recvfrom(fd, bytes, size, flags, from, from_len);
}

static ares_ssize_t send_vector(ares_socket_t fd, const struct iovec *parts, int count, void *data)
{
	(void)data;
	return writev(fd, parts, count);
}

static const struct ares_socket_functions socket_functions = {
	.asocket = open_socket,
	.aclose = close_socket,
	.aconnect = connect_socket,
	.arecvfrom = receive,
	.asendv = send_vector,
};

int name_servers_open(const struct name_servers *servers, ares_channel *channel,
		      ares_sock_state_cb on_socket_state, void *data, struct name_servers_way *way)
{
	struct ares_options options = servers->options;
	int mask = servers->mask | ARES_OPT_SOCK_STATE_CB;

	options.sock_state_cb = on_socket_state;
	options.sock_state_cb_data = data;
#ifdef ARES_OPT_QUERY_CACHE
	/* From 1.31 on c-ares keeps every answer, also that there is none, for up to an hour. */
	options.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	if (ares_init_options(channel, &options, mask)) {
		*channel = NULL;
		return -ENOMEM;
	}
	*way = servers->way;
	if (servers->count > 0 &&
	    ares_set_servers_ports(*channel, (struct ares_addr_port_node *)servers->nodes)) {
		ares_destroy(*channel);
		*channel = NULL;
		return -ENOMEM;
	}
	ares_set_socket_functions(*channel, &socket_functions, way);
	return 0;
}
