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

/* device 0: packets leave by whichever routes say. */
static void want_endpoint(struct wanted *wanted, const struct link *link,
			  const struct link_path *path, bool uses, int device)
{
	/* The kernel has one endpoint for an address, even if two links have the same. */
	if (uses && !link_endpoints_want(wanted, &path->address))
		wanted->endpoints[wanted->endpoint_count++] = (struct mptcp_pm_endpoint){
			.device = device, .backup = link_is_backup(link), .address = path->address};
}

static void want_path(struct wanted *wanted, const struct link *link, enum ip_family family)
{
	const struct link_path *path = &link->paths[family];
	const bool uses = path->works && link->state != LINK_STATE_STANDBY;

	wanted->any_link = wanted->any_link || link->config.role != LINK_ROLE_OFF;
	if (link->state == LINK_STATE_QUOTA && path->address.sa.sa_family != AF_UNSPEC)
		wanted->spent[wanted->spent_count++] = path->address;
	if (link->state == LINK_STATE_PORTAL && path->address.sa.sa_family != AF_UNSPEC)
		wanted->captive[wanted->captive_count++] = path->address;
	if (link->state == LINK_STATE_STANDBY && path->works)
		wanted->resting[wanted->resting_count++] = path->address;
	if (path->address.sa.sa_family != AF_UNSPEC)
		wanted->known[wanted->known_count++] = path->address;
	wanted->works[family] = wanted->works[family] || uses;
	if (!path->routed)
		return;
	/* Where packets of a mesh's prefix leave, its routing daemon says, at each moment. */
	if (link->from.bits > 0) {
		want_endpoint(wanted, link, path, uses, 0);
		return;
	}
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
	want_endpoint(wanted, link, path, uses, link->device);
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

/* What no link needs. While an endpoint may stay for connections that have nothing else, the rules
 * and the route of its address stay too: gone says which of both. */
static int remove_routes(const struct link_setup *setup, const struct net_view *view,
			 const struct wanted *wanted, bool gone)
{
	int err = 0;

	for (size_t i = 0; i < view->rule_count; i++)
		if (!has_rule(wanted->rules, wanted->rule_count, &view->rules[i]) &&
		    is_gone(wanted, &view->rules[i]) == gone)
			note(&err, link_rule_delete(setup->netlink, &view->rules[i]));
	for (size_t i = 0; i < view->route_count; i++)
		if (view->routes[i].ours &&
		    !has_route(wanted->routes, wanted->route_count, &view->routes[i], false) &&
		    serves_gone(view, wanted, &view->routes[i]) == gone)
			note(&err, route_delete(setup->netlink, &view->routes[i]));
	return err;
}

/* Of addresses whose endpoint has gone by now. */
static int remove_gone(const struct link_setup *setup, const struct net_view *view,
		       struct wanted *wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < wanted->gone_count; i++)
		if (!address_is_among(&wanted->gone[i], setup->data.endpoints,
				      setup->data.endpoint_count))
			wanted->gone[count++] = wanted->gone[i];
	wanted->gone_count = count;
	return count > 0 ? remove_routes(setup, view, wanted, true) : 0;
}

static int apply_routes(struct link_setup *setup, const struct net_view *view,
			const struct wanted *wanted)
{
	int err = remove_routes(setup, view, wanted, false);

	for (size_t i = 0; i < wanted->route_count; i++)
		if (!has_route(view->routes, view->route_count, &wanted->routes[i], true)) {
			note(&err, route_add(setup->netlink, &wanted->routes[i]));
			setup->restored[KIND_ROUTE] +=
				has_route(setup->last.routes, setup->last.route_count,
					  &wanted->routes[i], false);
		}
	for (size_t i = 0; i < wanted->rule_count; i++)
		if (!has_rule(view->rules, view->rule_count, &wanted->rules[i])) {
			note(&err, link_rule_add(setup->netlink, &wanted->rules[i]));
			setup->restored[KIND_RULE] += has_rule(
				setup->last.rules, setup->last.rule_count, &wanted->rules[i]);
		}
	return err;
}

static uint32_t at_least(uint32_t value, uint32_t least)
{
	return value > least ? value : least;
}

static bool are_lowered(const struct mptcp_pm_limits *raised, const struct mptcp_pm_limits *now)
{
	return now->subflows < raised->subflows ||
	       now->add_addr_accepted < raised->add_addr_accepted;
}

static int raise_limits(struct link_setup *setup)
{
	struct link_journal_data *data = &setup->data;
	struct mptcp_pm_limits now;
	int err;

	err = mptcp_pm_get_limits(setup->pm, &now);
	if (err)
		return err;
	if (data->has_limits) {
		if (!are_lowered(&data->raised, &now))
			return 0;
		setup->restored[KIND_LIMIT]++;
		now.subflows = at_least(now.subflows, data->raised.subflows);
		now.add_addr_accepted =
			at_least(now.add_addr_accepted, data->raised.add_addr_accepted);
		return mptcp_pm_set_limits(setup->pm, &now);
	}
	data->before = now;
	data->raised = (struct mptcp_pm_limits){
		.subflows = at_least(now.subflows, MPTCP_PM_LIMIT_MAX),
		.add_addr_accepted = at_least(now.add_addr_accepted, MPTCP_PM_LIMIT_MAX)};
	data->has_limits = true;
	err = link_journal_write(setup->record, data);
	if (!err)
		err = mptcp_pm_set_limits(setup->pm, &data->raised);
	if (err)
		data->has_limits = false;
	return err;
}

/* Only what is still as we set it. */
static void restore_limits(struct link_setup *setup)
{
	struct link_journal_data *data = &setup->data;
	struct mptcp_pm_limits now;

	if (!data->has_limits || mptcp_pm_get_limits(setup->pm, &now))
		return;
	if (now.subflows == data->raised.subflows)
		now.subflows = data->before.subflows;
	if (now.add_addr_accepted == data->raised.add_addr_accepted)
		now.add_addr_accepted = data->before.add_addr_accepted;
	if (mptcp_pm_set_limits(setup->pm, &now) == 0)
		data->has_limits = false;
}

bool link_setup_take_limit(struct link_setup *setup, uint32_t subflows)
{
	struct link_journal_data *data = &setup->data;

	if (!data->has_limits)
		return false;
	data->before.subflows = subflows;
	return link_journal_write(setup->record, data) == 0;
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

int link_setup_apply(struct link_setup *setup, const struct net_view *view,
		     const struct link *links, size_t count)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));
	int err;

	if (!wanted)
		return -ENOMEM;
	memset(setup->restored, 0, sizeof(setup->restored));
	for (size_t i = 0; i < count; i++)
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			want_path(wanted, &links[i], family);
	note_portals(setup, links, count);
	find_gone(setup, view, wanted);
	err = apply_routes(setup, view, wanted);
	for (size_t i = 0; i < wanted->endpoint_count; i++)
		wanted->endpoints[i].flags = setup->endpoint_flags;
	if (setup->pm && wanted->endpoint_count > 0 && !err)
		err = raise_limits(setup);
	if (setup->pm && !err)
		err = link_endpoints_apply(setup, wanted);
	note(&err, remove_gone(setup, view, wanted));
	setup->last = *wanted;
	free(wanted);
	tell_restored(setup);
	return err;
}

void link_setup_meet(struct link_setup *setup, const struct exit_config *exits, size_t count)
{
	setup->endpoint_flags = count > 0 ? MPTCP_PM_ADDR_FLAG_FULLMESH : 0;
	setup->exit_port_count = count;
	for (size_t i = 0; i < count; i++)
		setup->exit_ports[i] = exits[i].place.destination.port;
}

void link_setup_moved(struct link_setup *setup, const union address *address)
{
	link_offers_moved(&setup->offers, address, clock_monotonic_s());
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

const char *link_setup_restored(const struct link_setup *setup)
{
	return setup->restored_text;
}

bool link_setup_is_disturbed(struct link_setup *setup)
{
	struct mptcp_pm_limits now;

	if (!setup->pm || setup->last.endpoint_count == 0)
		return false;
	if (link_endpoints_are_disturbed(setup))
		return true;
	return setup->data.has_limits && mptcp_pm_get_limits(setup->pm, &now) == 0 &&
	       are_lowered(&setup->data.raised, &now);
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
		restore_limits(setup);
	clean = clean && !setup->data.has_limits && setup->data.endpoint_count == 0;
	link_journal_close(setup->record, clean);
	mptcp_pm_close(setup->pm);
	free(setup);
}
