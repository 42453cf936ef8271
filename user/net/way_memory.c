/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has answered about destinations of late. */
#include "net/way_memory.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/netlink_monitor.h"

#define ENTRIES 256 /* a power of two; each has one place, and the newest has it */
#define KEPT_S	1.

struct entry {
	double until_s; /* 0: nothing is kept here */
	enum way_question question;
	int answer;
	union address to;
};

struct way_memory {
	struct mnl_socket *monitor;
	struct entry entries[ENTRIES];
};

struct way_memory *way_memory_open(void)
{
	static const int groups[] = {RTNLGRP_LINK,	 RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
				     RTNLGRP_IPV6_RULE,	 RTNLGRP_NEXTHOP};
	struct way_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->monitor =
		netlink_monitor_open(NETLINK_ROUTE, groups, sizeof(groups) / sizeof(*groups));
	if (!memory->monitor) {
		free(memory);
		return NULL;
	}
	return memory;
}

void way_memory_close(void *closing)
{
	struct way_memory *memory = closing;

	if (!memory)
		return;
	mnl_socket_close(memory->monitor);
	free(memory);
}

/* What an event says does not matter, so it is not even copied. */
static void forget_what_changed(struct way_memory *memory)
{
	const int fd = mnl_socket_get_fd(memory->monitor);
	bool changed = false;
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR)
		changed = true;
	if (changed)
		memset(memory->entries, 0, sizeof(memory->entries));
}

static uint32_t zone_of(const union address *to)
{
	return to->sa.sa_family == AF_INET6 ? to->in6.sin6_scope_id : 0;
}

/* FNV, of 64 bits. */
static struct entry *place_of(struct way_memory *memory, enum way_question question,
			      const union address *to)
{
	const bool v6 = to->sa.sa_family == AF_INET6;
	const uint8_t *ip = v6 ? to->in6.sin6_addr.s6_addr : (const uint8_t *)&to->in4.sin_addr;
	uint64_t hash = address_port(to) * 2U + question;

	for (size_t i = 0; i < (v6 ? 16U : 4U); i++)
		hash = (hash ^ ip[i]) * 0x100000001b3ULL;
	return &memory->entries[(hash ^ hash >> 32) % ENTRIES];
}

bool way_memory_find(struct way_memory *memory, enum way_question question, const union address *to,
		     int *answer)
{
	const struct entry *entry;

	if (!memory)
		return false;
	forget_what_changed(memory);
	entry = place_of(memory, question, to);
	if (entry->until_s < clock_monotonic_s() || entry->question != question ||
	    !address_same_ip(&entry->to, to) || address_port(&entry->to) != address_port(to) ||
	    zone_of(&entry->to) != zone_of(to))
		return false;
	*answer = entry->answer;
	return true;
}

void way_memory_keep(struct way_memory *memory, enum way_question question, const union address *to,
		     int answer)
{
	if (memory)
		*place_of(memory, question, to) =
			(struct entry){clock_monotonic_s() + KEPT_S, question, answer, *to};
}
