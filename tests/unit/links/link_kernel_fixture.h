/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel for link_setup.c, which refuses some of what is set up, as others or its limits have it.
 * The linker puts __wrap_NAME in place of what asks the real one. */
#ifndef HAWSER_LINK_KERNEL_FIXTURE_H
#define HAWSER_LINK_KERNEL_FIXTURE_H

#include "links/link_setup.h"

#include <errno.h>
#include <linux/mptcp.h>
#include <stdlib.h>

#include "config/config.h"
#include "link_fixture.h"
#include "links/link_journal.h"
#include "net/mptcp_diag.h"
#include "net/mptcp_pm.h"
#include "net/route.h"

#define NO_GATEWAY "192.0.2.255" /* the kernel refuses it */

/* The kernel's path manager. */
static struct {
	bool tells_little; /* as Linux 6.1 */
	bool refuses_all;
	struct mptcp_pm_endpoint endpoints[8];
	size_t count;
	uint8_t id;
	unsigned int asked; /* to add one */
	unsigned int looks; /* at subflows */
	unsigned int cut;   /* addresses */
	struct mptcp_pm_limits limits;
} pm;
static struct mptcp_diag_subflow subflow; /* of token 0: there is none */
static struct net_rule rules[80];
static struct net_route kernel_routes[40];
static struct link links[LINKS_MAX];
static size_t link_count;
static struct link_setup *link_setup;
static double uptime_s = 1000;

struct mptcp_pm *__wrap_mptcp_pm_open(void);
void __wrap_mptcp_pm_close(struct mptcp_pm *unused);
int __wrap_mptcp_pm_list(struct mptcp_pm *unused,
			 struct mptcp_pm_endpoint out[MPTCP_PM_ENDPOINTS_MAX], size_t *count);
int __wrap_mptcp_pm_add(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint);
int __wrap_mptcp_pm_delete(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint);
int __wrap_mptcp_pm_set_flags(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint);
int __wrap_mptcp_pm_cut(struct mptcp_pm *unused, const union address *address);
int __wrap_mptcp_pm_get_limits(struct mptcp_pm *unused, struct mptcp_pm_limits *out);
int __wrap_mptcp_pm_set_limits(struct mptcp_pm *unused, const struct mptcp_pm_limits *limits);
int __wrap_mptcp_diag_list(struct mptcp_diag_subflow **out, size_t *count);
struct link_journal *__wrap_link_journal_open(struct link_journal_data *data);
int __wrap_link_journal_write(struct link_journal *record, const struct link_journal_data *data);
bool __wrap_link_journal_is_behind(const struct link_journal *record);
void __wrap_link_journal_close(struct link_journal *record, bool remove);
int __wrap_route_add(struct netlink *netlink, const struct net_route *route);
int __wrap_route_delete(struct netlink *netlink, const struct net_route *route);
int __wrap_link_rule_add(struct netlink *netlink, const struct net_rule *rule);
int __wrap_link_rule_delete(struct netlink *netlink, const struct net_rule *rule);
double __wrap_clock_monotonic_s(void);

struct mptcp_pm *__wrap_mptcp_pm_open(void)
{
	return (struct mptcp_pm *)&pm;
}

void __wrap_mptcp_pm_close(struct mptcp_pm *unused)
{
	(void)unused;
}

int __wrap_mptcp_pm_list(struct mptcp_pm *unused,
			 struct mptcp_pm_endpoint out[MPTCP_PM_ENDPOINTS_MAX], size_t *count)
{
	(void)unused;
	memcpy(out, pm.endpoints, pm.count * sizeof(out[0]));
	*count = pm.count;
	return 0;
}

static inline bool is_of(const struct mptcp_pm_endpoint *there,
			 const struct mptcp_pm_endpoint *other)
{
	return address_same_ip(&there->address, &other->address) &&
	       address_port(&there->address) == address_port(&other->address);
}

/* By the order of the kernel's own checks. */
int __wrap_mptcp_pm_add(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint)
{
	size_t i = 0;

	(void)unused;
	pm.asked++;
	if (pm.refuses_all)
		return -ENOMEM;
	if (pm.count == sizeof(pm.endpoints) / sizeof(pm.endpoints[0]))
		return pm.tells_little ? -EINVAL : -ERANGE;
	while (i < pm.count && !is_of(&pm.endpoints[i], endpoint))
		i++;
	if (i < pm.count && !(pm.endpoints[i].flags & MPTCP_PM_FLAG_IMPLICIT))
		return pm.tells_little ? -EINVAL : -EEXIST;
	pm.count += i == pm.count;
	pm.endpoints[i] = *endpoint;
	pm.endpoints[i].id = ++pm.id;
	return 0;
}

int __wrap_mptcp_pm_delete(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint)
{
	(void)unused;
	for (size_t i = 0; i < pm.count; i++) {
		if (pm.endpoints[i].id == endpoint->id) {
			pm.endpoints[i] = pm.endpoints[--pm.count];
			return 0;
		}
	}
	return 0;
}

int __wrap_mptcp_pm_set_flags(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint)
{
	(void)unused;
	for (size_t i = 0; i < pm.count; i++)
		if (pm.endpoints[i].id == endpoint->id)
			pm.endpoints[i].backup = endpoint->backup;
	return 0;
}

int __wrap_mptcp_pm_cut(struct mptcp_pm *unused, const union address *address)
{
	(void)unused;
	(void)address;
	pm.cut++;
	return 0;
}

int __wrap_mptcp_pm_get_limits(struct mptcp_pm *unused, struct mptcp_pm_limits *out)
{
	(void)unused;
	*out = pm.limits;
	return 0;
}

int __wrap_mptcp_pm_set_limits(struct mptcp_pm *unused, const struct mptcp_pm_limits *limits)
{
	(void)unused;
	if (pm.refuses_all)
		return -ENOMEM;
	pm.limits = *limits;
	return 0;
}

int __wrap_mptcp_diag_list(struct mptcp_diag_subflow **out, size_t *count)
{
	pm.looks++;
	*count = subflow.token > 0;
	*out = calloc(1, sizeof(**out));
	**out = subflow;
	return 0;
}

struct link_journal *__wrap_link_journal_open(struct link_journal_data *data)
{
	*data = (struct link_journal_data){0};
	return (struct link_journal *)&pm;
}

int __wrap_link_journal_write(struct link_journal *record, const struct link_journal_data *data)
{
	(void)record;
	(void)data;
	return 0;
}

bool __wrap_link_journal_is_behind(const struct link_journal *record)
{
	(void)record;
	return false;
}

void __wrap_link_journal_close(struct link_journal *record, bool remove)
{
	(void)record;
	(void)remove;
}

static inline bool is_refused(const union address *gateway)
{
	const union address refused = ip(NO_GATEWAY);

	return pm.refuses_all || address_same_ip(gateway, &refused);
}

int __wrap_route_add(struct netlink *netlink, const struct net_route *route)
{
	(void)netlink;
	if (is_refused(&route->gateway))
		return -EINVAL;
	kernel_routes[view.route_count] = *route;
	kernel_routes[view.route_count++].ours = true;
	return 0;
}

int __wrap_route_delete(struct netlink *netlink, const struct net_route *route)
{
	(void)netlink;
	(void)route;
	return 0;
}

int __wrap_link_rule_add(struct netlink *netlink, const struct net_rule *rule)
{
	(void)netlink;
	if (pm.refuses_all)
		return -EAFNOSUPPORT;
	rules[view.rule_count++] = *rule;
	return 0;
}

int __wrap_link_rule_delete(struct netlink *netlink, const struct net_rule *rule)
{
	(void)netlink;
	(void)rule;
	return 0;
}

double __wrap_clock_monotonic_s(void)
{
	return uptime_s;
}

static inline const char *address_of(size_t link, enum ip_family family)
{
	static char text[ADDRESS_TEXT_MAX];

	snprintf(text, sizeof(text), family == IP_V4 ? "10.0.%zu.1" : "fd00:%zu::1", link + 1);
	return text;
}

/* Links that work, with both families. */
static inline void has_links(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		links[i] = (struct link){.table = LINK_TABLE_FIRST + 1 + (uint32_t)i,
					 .device = DSL + (int)i};
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			links[i].paths[family] =
				(struct link_path){.address = ip(address_of(i, family)),
						   .gateway = ip(family ? "fe80::1" : "192.0.2.1"),
						   .routed = true,
						   .works = true};
	}
	link_count = count;
}

static inline void works(size_t link, bool works)
{
	for (enum ip_family family = 0; family < IP_FAMILIES; family++)
		links[link].paths[family].works = works;
}

static inline int start(void **state)
{
	setup(state);
	memset(&pm, 0, sizeof(pm));
	view.routes = kernel_routes;
	view.rules = rules;
	subflow = (struct mptcp_diag_subflow){0};
	link_setup = link_setup_open(NULL);
	return link_setup ? 0 : -1;
}

static inline int stop(void **state)
{
	(void)state;
	link_setup_leave(link_setup);
	return 0;
}

static inline int apply(void)
{
	return link_setup_apply(link_setup, &view, links, link_count);
}

/* As the daemon does until there is nothing more to do. */
static inline void settle(void)
{
	for (int i = 0; i < 4 && (apply() || link_setup_is_disturbed(link_setup)); i++)
		;
	assert_int_equal(apply(), 0);
	assert_false(link_setup_is_disturbed(link_setup));
}

static inline const struct mptcp_pm_endpoint *there(const char *address)
{
	const union address wanted = ip(address);

	for (size_t i = 0; i < pm.count; i++)
		if (address_same_ip(&pm.endpoints[i].address, &wanted))
			return &pm.endpoints[i];
	return NULL;
}

static inline bool has(size_t link, enum ip_family family)
{
	return there(address_of(link, family)) != NULL;
}

static inline void others_have(const char *address, uint16_t port, int device, uint32_t flags)
{
	struct mptcp_pm_endpoint *endpoint = &pm.endpoints[pm.count++];

	*endpoint = (struct mptcp_pm_endpoint){
		.address = ip(address), .device = device, .flags = flags, .id = ++pm.id};
	if (port)
		address_set_port(&endpoint->address, port);
}

#endif
