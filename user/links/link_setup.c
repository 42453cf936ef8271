/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the kernel hold what links need, and takes it back. Compares what is wanted with what is
 * there, so that it does not matter how the kernel came to hold it. */
#include "links/link_setup.h"

#include <errno.h>
#include <linux/mptcp.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "links/link_setup_private.h"
#include "net/route.h"

static bool uses(const struct link *link, enum ip_family family)
{
	return link->paths[family].works && link->state != LINK_STATE_STANDBY;
}

/* The kernel keeps few endpoints, so that the lower come first: each link has one before any has a
 * second. What a link is for the moment counts for nothing, as subflows would end each time. */
static int rank(const struct link *link, enum ip_family family)
{
	return (family == IP_V6 && uses(link, IP_V4) ? 2 : 0) +
	       (link->config.role == LINK_ROLE_BACKUP ? 1 : 0);
}

#define RANKS 4

static void want_endpoint(struct wanted *wanted, int of_rank, const struct link *link,
			  enum ip_family family)
{
	const union address *address = &link->paths[family].address;

	/* The kernel has one endpoint for an address, even if two links have the same. Where
	 * packets of a mesh's prefix leave, its routing daemon says, at each moment. */
	if (uses(link, family) && rank(link, family) == of_rank &&
	    !link_endpoints_want(wanted, address))
		wanted->endpoints[wanted->endpoint_count++] =
			(struct mptcp_pm_endpoint){.device = link->from.bits > 0 ? 0 : link->device,
						   .backup = link_is_backup(link),
						   .address = *address};
}

static void want_path(struct wanted *wanted, const struct link *link, enum ip_family family)
{
	const struct link_path *path = &link->paths[family];

	wanted->any_link = wanted->any_link || link->config.role != LINK_ROLE_OFF;
	if (link->state == LINK_STATE_QUOTA && path->address.sa.sa_family != AF_UNSPEC)
		wanted->spent[wanted->spent_count++] = path->address;
	if (link->state == LINK_STATE_PORTAL && path->address.sa.sa_family != AF_UNSPEC)
		wanted->captive[wanted->captive_count++] = path->address;
	if (link->state == LINK_STATE_STANDBY && path->works)
		wanted->resting[wanted->resting_count++] = path->address;
	if (path->address.sa.sa_family != AF_UNSPEC)
		wanted->known[wanted->known_count++] = path->address;
	wanted->works[family] = wanted->works[family] || (uses(link, family) && !path->deaf);
	if (!path->routed || link->from.bits > 0)
		return;
	wanted->routes[wanted->route_count++] = (struct net_route){.device = link->device,
								   .family = family,
								   .gateway = path->gateway,
								   .table = link->table};
	/* What the main table knows better than by a default route, as the way to the LAN, holds
	 * for the link's address too. */
	wanted->rules[wanted->rule_count++] = (struct net_rule){.family = family,
								.priority = LINK_PRIORITY_FIRST,
								.table = RT_TABLE_MAIN,
								.from = path->address};
	wanted->rules[wanted->rule_count++] =
		(struct net_rule){.family = family,
				  .priority = LINK_PRIORITY_FIRST + link->table - LINK_TABLE_FIRST,
				  .table = link->table,
				  .from = path->address};
}

static struct wanted *want(const struct link *links, size_t count)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));

	for (size_t i = 0; wanted && i < count; i++)
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			want_path(wanted, &links[i], family);
	for (int of_rank = 0; wanted && of_rank < RANKS; of_rank++)
		for (size_t i = 0; i < count; i++)
			for (enum ip_family family = 0; family < IP_FAMILIES; family++)
				want_endpoint(wanted, of_rank, &links[i], family);
	return wanted;
}

static bool same_route(const struct net_route *a, const struct net_route *b)
{
	return a->family == b->family && a->table == b->table && a->device == b->device &&
	       (a->gateway.sa.sa_family == AF_UNSPEC ? b->gateway.sa.sa_family == AF_UNSPEC
						     : address_same_ip(&a->gateway, &b->gateway));
}

static bool same_rule(const struct net_rule *a, const struct net_rule *b)
{
	return a->family == b->family && a->priority == b->priority && a->table == b->table &&
	       address_same_ip(&a->from, &b->from);
}

static bool has_route(const struct net_route *routes, size_t count, const struct net_route *route,
		      bool ours_only)
{
	for (size_t i = 0; i < count; i++)
		if ((routes[i].ours || !ours_only) && same_route(&routes[i], route))
			return true;
	return false;
}

static bool has_rule(const struct net_rule *rules, size_t count, const struct net_rule *rule)
{
	for (size_t i = 0; i < count; i++)
		if (same_rule(&rules[i], rule))
			return true;
	return false;
}

static bool is_there(const struct net_view *view, const union address *address)
{
	for (size_t i = 0; i < view->address_count; i++) {
		const struct net_device *device =
			net_view_device_at(view, view->addresses[i].device);

		if (address_same_ip(&view->addresses[i].address, address))
			return device && device->up && device->running;
	}
	return false;
}

static void find_gone(const struct link_setup *setup, const struct net_view *view,
		      struct wanted *wanted)
{
	for (size_t i = 0; i < setup->data.endpoint_count; i++) {
		const union address *address = &setup->data.endpoints[i];

		if (!address_is_among(address, wanted->known, wanted->known_count) &&
		    is_there(view, address))
			wanted->gone[wanted->gone_count++] = *address;
	}
}

static bool is_gone(const struct wanted *wanted, const struct net_rule *rule)
{
	return address_is_among(&rule->from, wanted->gone, wanted->gone_count);
}

/* Whether packets from an address that is gone need this route of ours, and no link has its table
 * now. */
static bool serves_gone(const struct net_view *view, const struct wanted *wanted,
			const struct net_route *route)
{
	for (size_t i = 0; i < wanted->route_count; i++)
		if (wanted->routes[i].table == route->table &&
		    wanted->routes[i].family == route->family)
			return false;
	for (size_t i = 0; i < view->rule_count; i++)
		if (view->rules[i].table == route->table &&
		    view->rules[i].family == route->family && is_gone(wanted, &view->rules[i]))
			return true;
	return false;
}

void link_setup_note(struct link_setup *setup, int err, const char *what,
		     const union address *address)
{
	char text[ADDRESS_TEXT_MAX];

	if (!err || setup->err)
		return;
	setup->err = err;
	snprintf(setup->refused, sizeof(setup->refused), "%s %s", what,
		 address_format_ip(address, text));
}

static void note_all(struct link_setup *setup, int err, const char *what)
{
	if (!err || setup->err)
		return;
	setup->err = err;
	snprintf(setup->refused, sizeof(setup->refused), "%s", what);
}

static void note_route(struct link_setup *setup, int err, const struct net_view *view,
		       const struct net_route *route)
{
	const struct net_device *device = net_view_device_at(view, route->device);
	const bool has_gateway = route->gateway.sa.sa_family != AF_UNSPEC;
	char text[ADDRESS_TEXT_MAX];

	if (!err || setup->err)
		return;
	setup->err = err;
	snprintf(setup->refused, sizeof(setup->refused), "route default%s%s dev %s",
		 has_gateway ? " via " : "",
		 has_gateway ? address_format_ip(&route->gateway, text) : "",
		 device ? device->name : "?");
}

static void note_rule(struct link_setup *setup, int err, const struct net_rule *rule)
{
	link_setup_note(setup, err, "rule from", &rule->from);
}

/* What no link needs. While an endpoint may stay for connections that have nothing else, the rules
 * and the route of its address stay too: gone says which of both. */
static void remove_routes(struct link_setup *setup, const struct net_view *view,
			  const struct wanted *wanted, bool gone)
{
	for (size_t i = 0; i < view->rule_count; i++)
		if (!has_rule(wanted->rules, wanted->rule_count, &view->rules[i]) &&
		    is_gone(wanted, &view->rules[i]) == gone)
			note_rule(setup, link_rule_delete(setup->netlink, &view->rules[i]),
				  &view->rules[i]);
	for (size_t i = 0; i < view->route_count; i++)
		if (view->routes[i].ours &&
		    !has_route(wanted->routes, wanted->route_count, &view->routes[i], false) &&
		    serves_gone(view, wanted, &view->routes[i]) == gone)
			note_route(setup, route_delete(setup->netlink, &view->routes[i]), view,
				   &view->routes[i]);
}

/* Of addresses whose endpoint has gone by now. */
static void remove_gone(struct link_setup *setup, const struct net_view *view,
			struct wanted *wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < wanted->gone_count; i++)
		if (!address_is_among(&wanted->gone[i], setup->data.endpoints,
				      setup->data.endpoint_count))
			wanted->gone[count++] = wanted->gone[i];
	wanted->gone_count = count;
	if (count > 0)
		remove_routes(setup, view, wanted, true);
}

/* What the kernel refuses is not wanted any more, so that nobody is said to have deleted it. */
static void add_routes(struct link_setup *setup, const struct net_view *view, struct wanted *wanted)
{
	const struct wanted *last = &setup->last;
	size_t kept = 0;

	for (size_t i = 0; i < wanted->route_count; i++) {
		const struct net_route *route = &wanted->routes[i];
		int err = 0;

		if (!has_route(view->routes, view->route_count, route, true)) {
			err = route_add(setup->netlink, route);
			setup->restored[KIND_ROUTE] +=
				!err && has_route(last->routes, last->route_count, route, false);
		}
		note_route(setup, err, view, route);
		if (!err)
			wanted->routes[kept++] = *route;
	}
	wanted->route_count = kept;
}

static void add_rules(struct link_setup *setup, const struct net_view *view, struct wanted *wanted)
{
	const struct wanted *last = &setup->last;
	size_t kept = 0;

	for (size_t i = 0; i < wanted->rule_count; i++) {
		const struct net_rule *rule = &wanted->rules[i];
		int err = 0;

		if (!has_rule(view->rules, view->rule_count, rule)) {
			err = link_rule_add(setup->netlink, rule);
			setup->restored[KIND_RULE] +=
				!err && has_rule(last->rules, last->rule_count, rule);
		}
		note_rule(setup, err, rule);
		if (!err)
			wanted->rules[kept++] = *rule;
	}
	wanted->rule_count = kept;
}

struct link_setup *link_setup_open(struct netlink *netlink)
{
	struct link_setup *setup = calloc(1, sizeof(*setup));
	int err;

	if (!setup)
		return NULL;
	setup->netlink = netlink;
	setup->record = link_journal_open(&setup->data);
	if (!setup->record) {
		err = errno;
		free(setup);
		errno = err;
		return NULL;
	}
	setup->pm = mptcp_pm_open();
	if (!setup->pm)
		log_info("links: no MPTCP endpoints: %s",
			 errno == ENOENT ? "the kernel has no MPTCP" : strerror(errno));
	return setup;
}

static void tell_restored(struct link_setup *setup)
{
	static const char *const names[KINDS] = {"rules", "routes", "endpoints", "limits"};
	char *text = setup->restored_text;
	const size_t size = sizeof(setup->restored_text);

	text[0] = '\0';
	for (int i = 0; i < KINDS; i++) {
		const size_t len = strlen(text);

		if (setup->restored[i])
			snprintf(text + len, size - len, "%s%s: %u", len ? ", " : "", names[i],
				 setup->restored[i]);
	}
}

const union address *link_setup_portals(const struct link_setup *setup, size_t *count)
{
	*count = setup->data.portal_count;
	return setup->data.portals;
}

/* For the next hawserd. That it cannot be written is told of endpoints. */
static void note_portals(struct link_setup *setup, const struct link *links, size_t count)
{
	struct link_journal_data *data = &setup->data;
	union address now[LINKS_MAX];
	size_t now_count = 0;
	bool same;

	for (size_t i = 0; i < count; i++) {
		const struct link_path *paths = links[i].paths;

		if (links[i].state == LINK_STATE_PORTAL)
			now[now_count++] = paths[IP_V4].address.sa.sa_family != AF_UNSPEC
						   ? paths[IP_V4].address
						   : paths[IP_V6].address;
	}
	same = now_count == data->portal_count && !link_journal_is_behind(setup->record);
	for (size_t i = 0; same && i < now_count; i++)
		same = address_same_ip(&now[i], &data->portals[i]);
	if (same)
		return;
	memcpy(data->portals, now, now_count * sizeof(now[0]));
	data->portal_count = now_count;
	(void)link_journal_write(setup->record, data);
}

static void apply_mptcp(struct link_setup *setup, struct wanted *wanted)
{
	if (wanted->endpoint_count > 0)
		note_all(setup, link_limits_raise(setup), "MPTCP limits");
	note_all(setup, link_endpoints_apply(setup, wanted), "MPTCP endpoints");
}

int link_setup_apply(struct link_setup *setup, const struct net_view *view,
		     const struct link *links, size_t count)
{
	struct wanted *wanted;

	memset(setup->restored, 0, sizeof(setup->restored));
	setup->err = 0;
	setup->refused[0] = setup->crowded[0] = setup->restored_text[0] = '\0';
	wanted = want(links, count);
	if (!wanted)
		return -ENOMEM;
	note_portals(setup, links, count);
	find_gone(setup, view, wanted);
	remove_routes(setup, view, wanted, false);
	add_routes(setup, view, wanted);
	add_rules(setup, view, wanted);
	for (size_t i = 0; i < wanted->endpoint_count; i++)
		wanted->endpoints[i].flags = setup->endpoint_flags;
	if (setup->pm && setup->err != -EPERM)
		apply_mptcp(setup, wanted);
	remove_gone(setup, view, wanted);
	setup->last = *wanted;
	free(wanted);
	tell_restored(setup);
	return setup->err;
}

void link_setup_meet(struct link_setup *setup, const struct exit_config *exits, size_t count)
{
	setup->endpoint_flags = count > 0 ? MPTCP_PM_ADDR_FLAG_FULLMESH : 0;
	setup->exit_port_count = count;
	for (size_t i = 0; i < count; i++)
		setup->exit_ports[i] = exits[i].place.destination.port;
}

void link_setup_moved(struct link_setup *setup, const union address *address, bool was_deaf)
{
	link_offers_moved(&setup->offers, address, was_deaf, clock_monotonic_s());
}

void link_setup_answer(struct link_setup *setup, const union address *address, double answer_s)
{
	link_offers_answer(&setup->offers, address, answer_s);
}

void link_setup_shaken(struct link_setup *setup, int device)
{
	struct wanted *last = &setup->last;
	size_t kept = 0;

	for (size_t i = 0; i < last->route_count; i++)
		if (last->routes[i].device != device)
			last->routes[kept++] = last->routes[i];
	last->route_count = kept;
}

bool link_setup_is_due(const struct link_setup *setup)
{
	const double now_s = clock_monotonic_s();

	return setup->pm && (link_offers_due(&setup->offers, now_s) ||
			     (setup->mesh_look_s > 0 && now_s >= setup->mesh_look_s));
}

double link_setup_wait_s(const struct link_setup *setup)
{
	return setup->pm ? link_offers_wait_s(&setup->offers, clock_monotonic_s()) : -1;
}

const char *link_setup_refused(const struct link_setup *setup)
{
	return setup->refused;
}

const char *link_setup_crowded(const struct link_setup *setup)
{
	return setup->crowded;
}

const char *link_setup_restored(const struct link_setup *setup)
{
	return setup->restored_text;
}

bool link_setup_is_disturbed(const struct link_setup *setup)
{
	if (!setup->pm || (setup->last.endpoint_count == 0 && !*setup->crowded))
		return false;
	return link_endpoints_are_disturbed(setup) || link_limits_are_lowered(setup);
}

void link_setup_leave(struct link_setup *setup)
{
	if (!setup)
		return;
	link_journal_close(setup->record, false);
	mptcp_pm_close(setup->pm);
	free(setup);
}

void link_setup_close(struct link_setup *setup)
{
	struct net_view view;
	bool clean;

	if (!setup)
		return;
	clean = net_view_load(&view, setup->netlink) == 0 &&
		link_setup_apply(setup, &view, NULL, 0) == 0;
	net_view_free(&view);
	if (setup->pm)
		link_limits_restore(setup);
	clean = clean && !setup->data.has_limits && setup->data.endpoint_count == 0;
	link_journal_close(setup->record, clean);
	mptcp_pm_close(setup->pm);
	free(setup);
}
