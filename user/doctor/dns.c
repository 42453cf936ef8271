/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names to addresses, and whether the name servers answer. */
#include "doctor/dns.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <string.h>
#include <sys/select.h>

#define TRY_TIMEOUT_MS 700
#define TRIES	       2

/* flags: of ARES_FLAG_*. */
static int open_channel(ares_channel *channel, int flags)
{
	struct ares_options options = {.flags = flags, .timeout = TRY_TIMEOUT_MS, .tries = TRIES};

	return ares_init_options(channel, &options,
				 ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
}

/* Until every question is answered or given up. */
static void wait_for_all(ares_channel channel)
{
	for (;;) {
		struct timeval buffer;
		fd_set readable;
		fd_set writable;
		int count;

		FD_ZERO(&readable);
		FD_ZERO(&writable);
		count = ares_fds(channel, &readable, &writable);
		if (count == 0)
			return;
		(void)select(count, &readable, &writable, NULL,
			     ares_timeout(channel, NULL, &buffer));
		ares_process(channel, &readable, &writable);
	}
}

struct found {
	union address *addresses;
	int status; /* the best one; ARES_SUCCESS: there is an address */
};

static void on_host(void *context, int status, int timeouts, struct hostent *host)
{
	struct found *found = context;

	(void)timeouts;
	if (status == ARES_SUCCESS && host->h_addr_list[0]) {
		const bool v6 = host->h_addrtype == AF_INET6;
		const enum ip_family family = v6 ? IP_V6 : IP_V4;

		address_from_bytes(&found->addresses[family], host->h_addrtype,
				   host->h_addr_list[0], 0);
	}
	if (found->status != ARES_SUCCESS)
		found->status = status;
}

const char *doctor_dns_find(const char *host, union address out[IP_FAMILIES])
{
	struct found found = {.addresses = out, .status = ARES_ENOTFOUND};
	ares_channel channel;
	int status = open_channel(&channel, 0);

	memset(out, 0, sizeof(*out) * IP_FAMILIES);
	if (status != ARES_SUCCESS)
		return ares_strerror(status);
	ares_gethostbyname(channel, host, AF_INET, on_host, &found);
	ares_gethostbyname(channel, host, AF_INET6, on_host, &found);
	wait_for_all(channel);
	ares_destroy(channel);
	return found.status == ARES_SUCCESS ? NULL : ares_strerror(found.status);
}

/* Whatever it says, it lives. */
static void on_root(void *context, int status, int timeouts, unsigned char *answer, int len)
{
	(void)timeouts;
	(void)answer;
	(void)len;
	*(bool *)context = status != ARES_ETIMEOUT && status != ARES_ECONNREFUSED &&
			   status != ARES_EDESTRUCTION && status != ARES_ENOMEM &&
			   status != ARES_ECANCELLED;
}

static bool answers(struct ares_addr_port_node *server)
{
	struct ares_addr_port_node alone = *server;
	ares_channel channel;
	bool is_there = false;

	alone.next = NULL;
	/* Without this flag, c-ares takes REFUSED and the like for no answer at all. */
	if (open_channel(&channel, ARES_FLAG_NOCHECKRESP) != ARES_SUCCESS)
		return false;
	if (ares_set_servers_ports(channel, &alone) == ARES_SUCCESS) {
		ares_query(channel, ".", ns_c_in, ns_t_ns, on_root, &is_there);
		wait_for_all(channel);
	}
	ares_destroy(channel);
	return is_there;
}

size_t doctor_dns_ask(struct doctor_dns_server out[DOCTOR_DNS_SERVERS_MAX])
{
	struct ares_addr_port_node *servers = NULL;
	ares_channel channel;
	size_t count = 0;

	if (open_channel(&channel, 0) != ARES_SUCCESS)
		return 0;
	if (ares_get_servers_ports(channel, &servers) == ARES_SUCCESS) {
		for (struct ares_addr_port_node *server = servers;
		     server && count < DOCTOR_DNS_SERVERS_MAX; server = server->next, count++) {
			address_from_bytes(&out[count].address, server->family, &server->addr, 0);
			out[count].answers = answers(server);
		}
		ares_free_data(servers);
	}
	ares_destroy(channel);
	return count;
}
