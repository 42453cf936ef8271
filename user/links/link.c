/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a link is at this moment, by what the kernel says. */
#include "links/link.h"

#include <stdio.h>
#include <string.h>

#include "links/way_out.h"

/* How long a link that was found by itself is shown after it has gone. */
#define KEPT_S 60.

static const struct in6_addr link_local = {.s6_addr = {0xfe, 0x80}};

static bool same_subnet(const union address *a, const union address *b, unsigned int bits)
{
	const uint8_t *x = (const uint8_t *)&a->in4.sin_addr;
	const uint8_t *y = (const uint8_t *)&b->in4.sin_addr;
	unsigned int bytes = bits / 8;

	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET6) {
		x = a->in6.sin6_addr.s6_addr;
		y = b->in6.sin6_addr.s6_addr;
	}
	if (memcmp(x, y, bytes) != 0)
		return false;
	return bits % 8 == 0 || ((x[bytes] ^ y[bytes]) & (0xff00 >> bits % 8) & 0xff) == 0;
}

/* The kernel takes none such for a gateway. */
static bool is_own(const union address *gateway, const struct net_view *view)
{
	for (size_t i = 0; i < view->address_count; i++)
		if (address_same_ip(&view->addresses[i].address, gateway))
			return true;
	return false;
}

/* Whether a gateway of before is still one: in the subnet, or on the link by its nature. */
static bool is_reachable(const union address *gateway, const struct net_address *address,
			 const struct net_view *view)
{
	if (is_own(gateway, view))
		return false;
	if (gateway->sa.sa_family == AF_UNSPEC ||
	    address_family(gateway) != address_family(&address->address))
		return true;
	if (gateway->sa.sa_family == AF_INET6 &&
	    memcmp(&gateway->in6.sin6_addr, &link_local, 8) == 0)
		return true;
	return same_subnet(gateway, &address->address, address->bits);
}

/* There is no route: was it taken away, and has not just gone with its interface or address? */
static void note_missing(struct link_path *path, const struct link_path *was, double now_s)
{
	if (was->by_route) {
		path->missing_s = was->missing_s > 0 ? was->missing_s : now_s;
		path->withdrawn = now_s - path->missing_s >= LINK_WITHDRAWN_S;
		path->by_route = !path->withdrawn;
	} else {
		path->withdrawn = was->withdrawn;
	}
}

static struct way_out find_way_out(const struct net_view *view, const struct link *link, int device,
				   enum ip_family family)
{
	const struct way_out_kind kind = {.plain = link->automatic, .from = link->from};

	return way_out_find(view, device, family, &kind);
}

static void find_path(struct link *link, enum ip_family family, const struct net_view *view,
		      const struct net_device *device, double now_s)
{
	const struct link_path was = link->paths[family];
	const union address *configured = &link->config.gateway[family];
	const struct way_out out = find_way_out(view, link, device->index, family);
	const struct net_route *route = out.route;
	const struct net_address *address = out.address;
	struct link_path *path = &link->paths[family];

	/* Without an address nothing is left to go by but the gateway, which may serve again. */
	*path = (struct link_path){
		.gateway = was.gateway, .known = was.known, .taken = was.taken, .deaf = was.deaf};
	if (!address)
		return;
	path->address = address->address;
	if (link->automatic && view->vpn[family]) {
		path->gateway = (union address){0};
		path->known = false;
		path->withdrawn = true;
		return;
	}
	if (!route && device->up && !link->shaken && address_same_ip(&was.address, &path->address))
		note_missing(path, &was, now_s);
	if (configured->sa.sa_family != AF_UNSPEC) {
		path->gateway = *configured;
		path->routed = !is_own(configured, view);
	} else if (route) {
		path->gateway = route->gateway;
		path->routed = path->known = path->by_route = true;
	} else if (was.known && !path->withdrawn && is_reachable(&was.gateway, address, view)) {
		path->routed = true;
	} else {
		path->gateway = (union address){0};
		path->known = false;
		path->routed = device->no_gateway && !path->withdrawn;
	}
	path->routed = path->routed && device->up;
	path->works = path->routed && device->running;
}

static enum link_state find_state(const struct link *link, const struct net_device *device)
{
	const struct link_path *v4 = &link->paths[IP_V4];
	const struct link_path *v6 = &link->paths[IP_V6];

	if (link->config.role == LINK_ROLE_OFF)
		return LINK_STATE_OFF;
	if (!device)
		return LINK_STATE_NO_DEVICE;
	if (!device->up)
		return LINK_STATE_DOWN;
	if (!device->running)
		return LINK_STATE_NO_CARRIER;
	if (v4->works || v6->works)
		return LINK_STATE_UP;
	if (v4->address.sa.sa_family == AF_UNSPEC && v6->address.sa.sa_family == AF_UNSPEC)
		return LINK_STATE_NO_ADDRESS;
	return LINK_STATE_NO_GATEWAY;
}

/* Where the route of its prefix leads; without one, it stays where it was. */
static bool follow_route(struct link *link, const struct net_view *view)
{
	const struct net_device *device = NULL;
	struct way_out best = {0};

	for (size_t i = 0; i < view->device_count; i++) {
		const struct net_device *other = &view->devices[i];
		const struct way_out out = find_way_out(view, link, other->index, IP_V6);

		if (out.route && (!best.route || way_out_is_better(&out, &best, other->index))) {
			best = out;
			device = other;
		}
	}
	if (device)
		snprintf(link->config.device, sizeof(link->config.device), "%s", device->name);
	return device != NULL;
}

static bool may_have(const struct link *link, enum ip_family family)
{
	return link->from.bits == 0 || address_family(&link->from.base) == family;
}

void link_find_paths(struct link *link, const struct net_view *view, double now_s, bool *again)
{
	const bool routed = link->from.bits == 0 || follow_route(link, view);
	const struct net_device *device = net_view_device(view, link->config.device);

	link->shaken = link->shaken || !device || device->index != link->device;
	if (device && routed)
		link->gone_s = 0;
	else if (link->device && link->gone_s == 0)
		link->gone_s = now_s;
	link->device = device ? device->index : 0;
	for (enum ip_family family = 0; family < IP_FAMILIES; family++) {
		struct link_path *path = &link->paths[family];

		if (device && link->config.role != LINK_ROLE_OFF && may_have(link, family))
			find_path(link, family, view, device, now_s);
		else
			*path = (struct link_path){.gateway = path->gateway, .known = path->known};
		*again = *again || (path->missing_s > 0 && !path->withdrawn);
	}
	link->shaken = false;
	link->state = find_state(link, device);
}

/* The link of this interface, whether the interface is there or not. */
static struct link *find_link(struct link *links, size_t count, const char *device)
{
	for (size_t i = 0; i < count; i++)
		if (links[i].from.bits == 0 && strcmp(links[i].config.device, device) == 0)
			return &links[i];
	return NULL;
}

static bool has_prefix(const struct link *links, size_t count, const struct prefix *from)
{
	for (size_t i = 0; i < count; i++)
		if (way_out_same_prefix(&links[i].from, from))
			return true;
	return false;
}

static bool has_name(const struct links_config *config, const struct link *links, size_t count,
		     const char *name)
{
	for (size_t i = 0; i < config->count; i++)
		if (strcmp(config->link[i].name, name) == 0)
			return true;
	for (size_t i = 0; i < count; i++)
		if (strcmp(links[i].config.name, name) == 0)
			return true;
	return false;
}

/* Quotas, figures and events go by names, so that of a link that was found is nobody else's. */
static void name_apart(const struct links_config *config, const struct link *links, size_t count,
		       char name[LINK_NAME_MAX + 1])
{
	const int room = LINK_NAME_MAX - (int)strlen("-auto255");
	char apart[LINK_NAME_MAX + 1];
	char number[4] = "";

	snprintf(apart, sizeof(apart), "%s", name);
	for (uint8_t i = 2; has_name(config, links, count, apart); i++) {
		snprintf(apart, sizeof(apart), "%.*s-auto%s", room, name, number);
		snprintf(number, sizeof(number), "%u", i);
	}
	snprintf(name, LINK_NAME_MAX + 1, "%s", apart);
}

/* At a free table, which is the lowest, so that a link that comes back gets what it had. */
static struct link *append(struct link links[LINKS_MAX], size_t *count,
			   const struct link_config *config, bool automatic)
{
	uint32_t table = LINK_TABLE_FIRST + 1;

	for (size_t i = 0; i < *count; i++) {
		if (links[i].table == table) {
			table++;
			i = (size_t)-1;
		}
	}
	links[*count] = (struct link){.config = *config, .automatic = automatic, .table = table};
	return &links[(*count)++];
}

static const struct link_config unnamed = {.role = LINK_ROLE_SHARED, .weight = LINK_WEIGHT_DEFAULT};

/* Returns what there was no room for. */
static const char *collect_interfaces(const struct links_config *config,
				      const struct net_view *view, struct link links[LINKS_MAX],
				      size_t *count)
{
	const struct way_out_kind plain = {.plain = true};
	const char *left_out = NULL;

	for (size_t i = 0; i < view->device_count; i++) {
		const struct net_device *device = &view->devices[i];
		struct link_config found = unnamed;

		if (device->loopback || device->vpn || find_link(links, *count, device->name))
			continue;
		if (!way_out_find(view, device->index, IP_V4, &plain).route &&
		    !way_out_find(view, device->index, IP_V6, &plain).route)
			continue;
		if (*count == LINKS_MAX) {
			left_out = device->name;
			continue;
		}
		snprintf(found.name, sizeof(found.name), "%s", device->name);
		snprintf(found.device, sizeof(found.device), "%s", device->name);
		name_apart(config, links, *count, found.name);
		append(links, count, &found, true);
	}
	return left_out;
}

static void collect_prefixes(const struct links_config *config, const struct net_view *view,
			     struct link links[LINKS_MAX], size_t *count)
{
	for (size_t i = 0; view->ways[IP_V6].device && i < view->route_count && *count < LINKS_MAX;
	     i++) {
		const struct net_route *route = &view->routes[i];
		const struct net_device *device = net_view_device_at(view, route->device);
		struct link_config found = unnamed;
		char text[ADDRESS_TEXT_MAX];

		if (!way_out_roams(route) || route->family != IP_V6 || !device ||
		    has_prefix(links, *count, &route->from) ||
		    !way_out_address(view, route->device, IP_V6, route))
			continue;
		snprintf(found.name, sizeof(found.name), "%.*s", LINK_NAME_MAX,
			 address_format_ip(&route->from.base, text));
		snprintf(found.device, sizeof(found.device), "%s", device->name);
		name_apart(config, links, *count, found.name);
		append(links, count, &found, true)->from = route->from;
	}
}

/* Whether a routing daemon leads prefixes of a mesh by it: a tunnel between two nodes, not to one
 * that takes all. */
static bool is_of_mesh(const struct net_view *view, int device, enum ip_family family)
{
	for (size_t i = 0; i < view->route_count; i++)
		if (view->routes[i].device == device && view->routes[i].family == family &&
		    way_out_roams(&view->routes[i]))
			return true;
	return false;
}

void links_obey_vpn(const struct links_config *config, struct net_view *view)
{
	for (enum ip_family family = 0; family < IP_FAMILIES; family++) {
		struct net_way *way = &view->ways[family];
		const struct net_device *device = net_view_device_at(view, way->device);
		bool named = false;

		for (size_t i = 0; device && i < config->count; i++)
			named = named || strcmp(config->link[i].device, device->name) == 0;
		view->vpn[family] =
			device && device->vpn && !named && !is_of_mesh(view, way->device, family);
		if (view->vpn[family])
			*way = (struct net_way){0};
	}
}

/* A reload may have brought a link of the same name. */
static void rename_found(const struct links_config *config, struct link *links, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (links[i].automatic && has_name(config, NULL, 0, links[i].config.name))
			name_apart(config, links, count, links[i].config.name);
}

const char *links_collect(const struct links_config *config, const struct net_view *view,
			  struct link links[LINKS_MAX], size_t *count)
{
	for (size_t i = 0; i < config->count && *count < LINKS_MAX; i++)
		if (!find_link(links, *count, config->link[i].device))
			append(links, count, &config->link[i], false);
	if (config->mode != LINKS_AUTO)
		return NULL;
	rename_found(config, links, *count);
	collect_prefixes(config, view, links, count);
	return collect_interfaces(config, view, links, count);
}

bool link_is_over(const struct link *link, bool crowded, double now_s)
{
	return link->automatic && link->gone_s > 0 && (crowded || now_s - link->gone_s >= KEPT_S);
}

/* Better as the one that uses an address that others have too: one that works and answers, that
 * already did, that is there at all. */
static int claim(const struct link_path *path, bool silent)
{
	return (path->works ? 4 : 0) + (path->works && !silent ? 8 : 0) + (path->taken ? 0 : 2) +
	       (path->routed ? 1 : 0);
}

static void share_address(struct link *links, size_t count, enum ip_family family,
			  const union address *address, const bool silent[][IP_FAMILIES])
{
	const struct link_path *best = NULL;
	int best_claim = 0;

	for (size_t i = 0; i < count; i++) {
		const struct link_path *path = &links[i].paths[family];
		const int its = claim(path, silent[i][family]);

		if (!address_same_ip(&path->address, address))
			continue;
		if (!best || its > best_claim) {
			best = path;
			best_claim = its;
		}
	}
	for (size_t i = 0; i < count; i++) {
		struct link_path *path = &links[i].paths[family];

		if (!address_same_ip(&path->address, address))
			continue;
		path->taken = path != best;
		if (!path->taken)
			continue;
		path->routed = path->works = false;
	}
}

void links_share_addresses(struct link *links, size_t count, const bool silent[][IP_FAMILIES])
{
	for (size_t i = 0; i < count; i++)
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			if (links[i].paths[family].address.sa.sa_family != AF_UNSPEC)
				share_address(links, count, family, &links[i].paths[family].address,
					      silent);
	for (size_t i = 0; i < count; i++) {
		const struct link_path *v4 = &links[i].paths[IP_V4];
		const struct link_path *v6 = &links[i].paths[IP_V6];

		if (links[i].state == LINK_STATE_UP && !v4->works && !v6->works)
			links[i].state = LINK_STATE_SAME_ADDRESS;
	}
}

void links_take_out(struct link *links, size_t count, const bool silent[][IP_FAMILIES])
{
	for (enum ip_family family = 0; family < IP_FAMILIES; family++) {
		bool other = false;

		for (size_t i = 0; i < count; i++)
			other = other || (links[i].paths[family].works &&
					  !links[i].paths[family].deaf && !silent[i][family]);
		for (size_t i = 0; other && i < count; i++)
			if (silent[i][family])
				links[i].paths[family].works = false;
	}
	for (size_t i = 0; i < count; i++)
		if (links[i].state == LINK_STATE_UP && !links[i].paths[IP_V4].works &&
		    !links[i].paths[IP_V6].works)
			links[i].state = LINK_STATE_NO_ANSWER;
}

bool link_is_backup(const struct link *link)
{
	return link->config.role == LINK_ROLE_BACKUP || link->state == LINK_STATE_STANDBY ||
	       link->state == LINK_STATE_TRIAL || link->state == LINK_STATE_DEMOTED;
}

unsigned int link_slot(uint32_t table)
{
	return table - LINK_TABLE_FIRST - 1;
}

const char *link_state_name(enum link_state state)
{
	static const char *const names[] = {
		[LINK_STATE_UP] = "up",
		[LINK_STATE_OFF] = "off",
		[LINK_STATE_NO_DEVICE] = "no-device",
		[LINK_STATE_DOWN] = "down",
		[LINK_STATE_NO_CARRIER] = "no-carrier",
		[LINK_STATE_NO_ADDRESS] = "no-address",
		[LINK_STATE_NO_GATEWAY] = "no-gateway",
		[LINK_STATE_SAME_ADDRESS] = "same-address",
		[LINK_STATE_NO_ANSWER] = "no-answer",
		[LINK_STATE_PORTAL] = "portal",
		[LINK_STATE_STANDBY] = "standby",
		[LINK_STATE_QUOTA] = "quota",
		[LINK_STATE_TRIAL] = "trial",
		[LINK_STATE_DEMOTED] = "demoted",
	};

	return names[state];
}
