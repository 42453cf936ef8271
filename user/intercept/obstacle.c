/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of this host would keep a LAN's connections from hawserd. */
#include "intercept/obstacle.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "base/json.h"
#include "intercept/ruleset.h"
#include "intercept/steer_mark.h"
#include "net/bridge.h"
#include "net/net_view.h"
#include "net/netlink.h"

/* What clients ask for most; what passes for this port may be what is wanted. */
#define WEB_PORT 443

static const char *lan_name(const struct intercept_plan *plan, size_t i)
{
	return json_object_get_string(json_object_array_get_idx(plan->lan, i));
}

/* By which a LAN's packets come. What was held comes in again. */
static const char *device_name(const struct intercept_plan *plan, size_t i)
{
	return i < json_length(plan->lan) ? lan_name(plan, i) : "lo";
}

/* Of all bridges of this network namespace. */
static bool nf_call_is_on(const char *table)
{
	char path[64];
	FILE *file;
	int digit = '0';

	snprintf(path, sizeof(path), "/proc/sys/net/bridge/bridge-nf-call-%s", table);
	file = fopen(path, "re");
	if (file) {
		digit = fgetc(file);
		fclose(file);
	}
	return digit > '0' && digit <= '9';
}

/* All families in one line: who mends one shall not come back for the other. */
static bool bridge_spoils(const struct intercept_plan *plan, const char *name,
			  struct intercept_fault *fault)
{
	const struct net_bridge bridge = net_bridge_find(name);
	char which[32] = "";
	char its[64] = "";
	char all[128] = "";

	for (int family = 0; bridge.is_bridge && family < INTERCEPT_FAMILIES; family++) {
		const bool six = family == INTERCEPT_IPV6;
		const char *table = six ? "ip6tables" : "iptables";
		const bool own = bridge.nf_call[six ? IP_V6 : IP_V4];
		size_t len = strlen(own ? its : all);

		if (!intercept_plan_has(plan, family) || (!own && !nf_call_is_on(table)))
			continue;
		if (own)
			snprintf(its + len, sizeof(its) - len, " nf_call_%s 0", table);
		else
			snprintf(all + len, sizeof(all) - len, " net.bridge.bridge-nf-call-%s=0",
				 table);
		len = strlen(which);
		snprintf(which + len, sizeof(which) - len, "%s%s", len ? " and " : "",
			 intercept_family_names[family]);
	}
	if (!*which)
		return false;
	intercept_blame(fault,
			"%s is a bridge whose packets pass nftables inside it, too "
			"(br_netfilter, %s), where TPROXY's connections get lost",
			name, which);
	if (*its)
		intercept_mend(fault,
			       "ip link set %s type bridge%s%s%s; or --method bpf or redirect",
			       name, its, *all ? "; sysctl -w" : "", all);
	else
		intercept_mend(fault, "sysctl -w%s; or --method bpf or redirect", all);
	return true;
}

bool intercept_bridge_spoils(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	for (size_t i = 0; plan->method == INTERCEPT_TPROXY && i < json_length(plan->lan); i++)
		if (bridge_spoils(plan, lan_name(plan, i), fault))
			return true;
	return false;
}

bool intercept_drops_strangers(struct json_object *rules, struct nft_packet packet, bool by_one,
			       char place[NFT_WALK_PLACE_MAX])
{
	struct if_nameindex *devices = if_nameindex();
	bool any = false;
	bool dropped = false;

	for (const struct if_nameindex *device = devices; device && device->if_index; device++) {
		if (strcmp(device->if_name, "lo") == 0)
			continue;
		packet.device = device->if_name;
		dropped = nft_walk_drops(rules, &packet, place);
		any = true;
		if (dropped == by_one)
			break;
	}
	if_freenameindex(devices);
	packet.device = "";
	return any ? dropped : nft_walk_drops(rules, &packet, place);
}

/* No accept of ours could help: every base chain of a hook judges anew. */
static void mend_firewall(const struct intercept_plan *plan, const struct nft_packet *packet,
			  const char *place, struct intercept_fault *fault)
{
	if (intercept_plan_marks(plan))
		intercept_mend(fault,
			       "nft insert rule %s meta mark and 0x%x == 0x%x accept (and in the "
			       "firewall's own configuration, so that it lasts)",
			       place, STEER_MARK, STEER_MARK);
	else
		intercept_mend(fault,
			       "nft insert rule %s iifname %s tcp dport %u accept (and in the "
			       "firewall's own configuration, so that it lasts)",
			       place, packet->device, address_port(&packet->to));
}

bool intercept_firewall_drops(const struct intercept_plan *plan, struct json_object *rules,
			      struct intercept_fault *fault)
{
	char place[NFT_WALK_PLACE_MAX];

	for (size_t i = 0; rules && i < json_length(plan->lan) + plan->hold; i++) {
		for (int family = 0; family < INTERCEPT_FAMILIES; family++) {
			static const unsigned char any[16];
			const int af = intercept_families[family];
			struct nft_packet packet = {.in = true, .device = device_name(plan, i)};
			const bool marks = intercept_plan_marks(plan);

			if (!intercept_plan_has(plan, family))
				continue;
			address_from_bytes(&packet.to, af, any,
					   marks ? WEB_PORT
						 : address_port(&plan->listener[family]));
			packet.mark = marks ? STEER_MARK : 0;
			if (!nft_walk_drops(rules, &packet, place))
				continue;
			intercept_blame(fault,
					"chain %s of nftables drops what is taken from %s, %s, on "
					"its way to hawserd",
					place, packet.device, intercept_family_names[family]);
			mend_firewall(plan, &packet, place, fault);
			return true;
		}
	}
	return false;
}

bool intercept_is_obstructed(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	struct json_object *rules;
	bool drops;

	if (intercept_bridge_spoils(plan, fault))
		return true;
	rules = intercept_list_rules();
	drops = intercept_firewall_drops(plan, rules, fault);
	json_object_put(rules);
	return drops;
}

static bool is_link(struct json_object *settings, const char *name)
{
	struct json_object *links = json_member(settings, "links");

	for (size_t i = 0; i < json_length(links); i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(links, i)), name) == 0)
			return true;
	return false;
}

static bool has_default_route(const struct net_view *view, const char *name)
{
	const struct net_device *device = net_view_device(view, name);

	for (size_t i = 0; device && i < view->route_count; i++)
		if (view->routes[i].device == device->index &&
		    view->routes[i].table == RT_TABLE_MAIN)
			return true;
	return false;
}

bool intercept_lan_is_wan(const struct intercept_plan *plan, struct json_object *settings,
			  struct intercept_fault *fault)
{
	struct netlink *netlink = netlink_open(NETLINK_ROUTE);
	struct net_view view = {0};
	bool found = false;

	if (netlink)
		(void)net_view_load(&view, netlink);
	for (size_t i = 0; i < json_length(plan->lan) && !found; i++) {
		const char *name = lan_name(plan, i);
		const bool link = is_link(settings, name);

		found = link || has_default_route(&view, name);
		if (!found)
			continue;
		intercept_blame(fault,
				"%s leads to the Internet (%s): its clients would be "
				"everybody out there",
				name, link ? "a link of hawserd" : "a default route");
		intercept_mend(fault, "--lan, or intercept { lan = ... }, of the interface where "
				      "the clients are");
	}
	net_view_free(&view);
	netlink_close(netlink);
	return found;
}
