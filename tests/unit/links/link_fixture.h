/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A link, and made-up pictures of the network that it is found in. */
#ifndef HAWSER_LINK_FIXTURE_H
#define HAWSER_LINK_FIXTURE_H

#include "links/link.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DSL 7
#define LTE 8

static struct net_device devices[3];
static struct net_address addresses[8];
static struct net_route routes[8];
static struct net_view view;
static double now_s;

static inline union address ip(const char *text)
{
	struct prefix prefix;

	if (strcmp(text, "-") == 0)
		return (union address){0};
	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix.base;
}

static inline void has_address(int device, const char *text, uint8_t bits, uint32_t flags)
{
	addresses[view.address_count++] = (struct net_address){
		.device = device, .address = ip(text), .bits = bits, .flags = flags};
}

static inline void has_route(int device, const char *gateway, uint32_t table, uint32_t metric)
{
	const union address address = ip(gateway);

	routes[view.route_count++] = (struct net_route){.device = device,
							.family = address_family(&address),
							.gateway = address,
							.table = table,
							.metric = metric};
}

static inline int setup(void **state)
{
	(void)state;
	view = (struct net_view){.devices = devices,
				 .device_count = 3,
				 .addresses = addresses,
				 .routes = routes,
				 .ways = {{DSL, RT_TABLE_MAIN}, {DSL, RT_TABLE_MAIN}}};
	now_s = 1000;
	devices[0] = (struct net_device){1, "lo", .up = true, .running = true, .loopback = true};
	devices[1] = (struct net_device){DSL, "dsl0", .up = true, .running = true};
	devices[2] = (struct net_device){LTE, "lte0", .up = true, .running = true};
	return 0;
}

static inline struct link dsl(void)
{
	return (struct link){.config = {.name = "dsl", .device = "dsl0"}, .table = 28001};
}

/* Whether to look again. */
static inline bool look(struct link *link)
{
	bool again = false;

	link_find_paths(link, &view, now_s, &again);
	return again;
}

static inline void assert_ip(const union address *address, const char *expected)
{
	char text[ADDRESS_TEXT_MAX];

	assert_string_equal(address_format_ip(address, text), expected);
}

#endif
