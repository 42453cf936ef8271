/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's checks of one link: what the kernel holds for it, and its next hop. */
#include <errno.h>
#include <inttypes.h>
#include <linux/mptcp.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "doctor/doctor_private.h"
#include "doctor/ping.h"
#include "net/netlink.h"

/* The kernel gives a neighbour up after 3 s as a rule, and tells it then. */
#define GATEWAY_WAIT_S 3.6
#define ECHO_BYTES     64
#define STANDBY	       "standby"

/* Addresses for documentation (RFC 5737, RFC 3849), which only a default route leads to. */
static const uint8_t outside4[4] = {192, 0, 2, 1};
static const uint8_t outside6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

static bool has_address(const struct doctor_link *link, enum ip_family family)
{
	return link->paths[family].address.sa.sa_family != AF_UNSPEC;
}

static bool look_device(struct doctor *doctor, const struct doctor_subject *subject,
			struct doctor_finding *out)
{
	const char *device = subject->link->device;
	const char *state = subject->link->state;

	(void)doctor;
	if (strcmp(state, "no-device") == 0) {
		doctor_saw(out, DOCTOR_FAIL, "there is no interface %s", device);
		doctor_mend(out,
			    "plug it in, or correct 'device' in its section link ('ip link' lists "
			    "the interfaces)");
		return true;
	}
	if (strcmp(state, "down") == 0) {
		doctor_saw(out, DOCTOR_FAIL, "interface %s is down", device);
		doctor_mend(out, "ip link set dev %s up", device);
		return true;
	}
	if (strcmp(state, "no-carrier") == 0) {
		doctor_saw(out, DOCTOR_FAIL, "interface %s has no carrier", device);
		doctor_mend(out, "check the cable, modem or radio at %s", device);
		return true;
	}
	doctor_saw(out, DOCTOR_OK, "interface %s is up", device);
	return true;
}

static bool look_address(struct doctor *doctor, const struct doctor_subject *subject,
			 struct doctor_finding *out)
{
	const struct doctor_link *link = subject->link;
	char v4[ADDRESS_TEXT_MAX] = "none";
	char v6[ADDRESS_TEXT_MAX] = "none";

	(void)doctor;
	if (!has_address(link, IP_V4) && !has_address(link, IP_V6)) {
		doctor_saw(out, DOCTOR_FAIL, "interface %s has no address", link->device);
		doctor_mend(out,
			    "start its DHCP client or PPP, or: ip address add ADDRESS/BITS dev %s",
			    link->device);
		return true;
	}
	if (has_address(link, IP_V4))
		address_format_ip(&link->paths[IP_V4].address, v4);
	if (has_address(link, IP_V6))
		address_format_ip(&link->paths[IP_V6].address, v6);
	doctor_saw(out, DOCTOR_OK, "IPv4 %s, IPv6 %s", v4, v6);
	return true;
}

/* What the other checks do not explain. */
static bool look_use(struct doctor *doctor, const struct doctor_subject *subject,
		     struct doctor_finding *out)
{
	const char *state = subject->link->state;

	(void)doctor;
	if (strcmp(state, "up") == 0 || strcmp(state, "no-gateway") == 0)
		return false;
	if (strcmp(state, STANDBY) == 0) {
		doctor_saw(out, DOCTOR_OK,
			   "hawserd keeps it for later: it is metered, and other links have room");
		return true;
	}
	if (strcmp(state, "same-address") == 0) {
		doctor_saw(out, DOCTOR_FAIL,
			   "hawserd does not use it: another link has the same address, and only "
			   "one can");
		doctor_mend(out, "give the modem behind %s another subnet, on its own page",
			    subject->link->device);
		return true;
	}
	if (strcmp(state, "trial") == 0) {
		doctor_saw(out, DOCTOR_OK,
			   "hawserd leaves it out for some seconds, to see whether the others "
			   "carry more without it");
		return true;
	}
	if (strcmp(state, "demoted") == 0) {
		doctor_saw(out, DOCTOR_WARN,
			   "hawserd has demoted it: the others carry more without it");
		doctor_mend(out,
			    "wait, hawserd tries it again; or set demote = no in its section link "
			    "('hawser links' has the figures)");
		return true;
	}
	if (strcmp(state, "quota") == 0) {
		doctor_saw(out, DOCTOR_WARN, "its quota is used up");
		doctor_mend(out,
			    "wait for its reset-day (see 'hawser links'), or raise 'quota' in its "
			    "section link");
		return true;
	}
	if (strcmp(state, "portal") == 0) {
		doctor_saw(out, DOCTOR_FAIL,
			   "hawserd does not use it: it leads to a portal that wants a log-in");
		doctor_mend(out,
			    "open %s in a browser that goes through hawserd, and log in; the link "
			    "comes back by itself",
			    subject->link->login);
		return true;
	}
	doctor_saw(out, DOCTOR_FAIL, "hawserd does not use it: %s", state);
	doctor_mend(out, "check the modem and the provider at %s ('hawser links' shows since when)",
		    subject->link->device);
	return true;
}

static long read_rp_filter(const char *device)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", device);
	return doctor_read_setting(path);
}

/* The larger of both settings holds (ip-sysctl.rst): 1 is strict, 2 loose. */
static bool look_rp_filter(struct doctor *doctor, const struct doctor_subject *subject,
			   struct doctor_finding *out)
{
	const char *device = subject->link->device;
	const long all = read_rp_filter("all");
	const long own = read_rp_filter(device);
	const long filter = all > own ? all : own;

	(void)doctor;
	if (!has_address(subject->link, IP_V4))
		return false;
	if (filter != 1) {
		doctor_saw(out, DOCTOR_OK, "%s", filter == 2 ? "loose (2)" : "off (0)");
		return true;
	}
	doctor_saw(
		out, DOCTOR_WARN,
		"strict (1): the kernel drops packets that arrive here for another link's address");
	doctor_mend(out, "sysctl -w net/ipv4/conf/%s/rp_filter=2", device);
	return true;
}

const struct doctor_check doctor_link_checks[] = {
	{"device", look_device, true}, {"address", look_address, true},
	{"use", look_use, false},      {"rp_filter", look_rp_filter, false},
	{NULL, NULL, false},
};

/* hawserd makes the kernel hold again what it should when it reads its configuration again. */
static void mend_by_reload(const struct doctor *doctor, struct doctor_finding *out)
{
	doctor_mend(out, "kill -HUP %" PRIu64 " (hawserd puts it back; find out who removed it)",
		    json_count(doctor->status, "pid"));
}

static bool has_table(const struct doctor *doctor, const struct doctor_link *link)
{
	return doctor->set_up && link->table;
}

static bool look_route(struct doctor *doctor, const struct doctor_subject *subject,
		       struct doctor_finding *out)
{
	const struct doctor_link *link = subject->link;
	const struct doctor_path *path = &link->paths[subject->family];
	const bool other_works = link->paths[IP_V4].works || link->paths[IP_V6].works;
	char gateway[ADDRESS_TEXT_MAX];
	bool found = false;

	if (!has_address(link, subject->family) || path->taken)
		return false;
	for (size_t i = 0; i < doctor->view.route_count; i++) {
		const struct net_route *route = &doctor->view.routes[i];

		found = found ||
			(route->device == link->index && route->family == subject->family &&
			 (!has_table(doctor, link) || !path->works || route->table == link->table));
	}
	if (!path->routed) {
		doctor_saw(out, other_works ? DOCTOR_WARN : DOCTOR_FAIL,
			   "there is no default route through %s, so hawserd knows no gateway",
			   link->device);
		doctor_mend(out,
			    "ip -%d route add default via GATEWAY dev %s metric 100 (or set "
			    "'gateway' in its section link)",
			    subject->family == IP_V6 ? 6 : 4, link->device);
	} else if (!found) {
		doctor_saw(out, DOCTOR_FAIL, "its routing table %" PRIu32 " has no default route",
			   link->table);
		mend_by_reload(doctor, out);
	} else if (path->gateway.sa.sa_family == AF_UNSPEC) {
		doctor_saw(out, DOCTOR_OK, "dev %s, no gateway needed", link->device);
	} else {
		doctor_saw(out, DOCTOR_OK, "via %s dev %s",
			   address_format_ip(&path->gateway, gateway), link->device);
	}
	return true;
}

/* If neither does, it is said of the link. */
static bool look_path_use(struct doctor *doctor, const struct doctor_subject *subject,
			  struct doctor_finding *out)
{
	const struct doctor_link *link = subject->link;
	const struct doctor_path *path = &link->paths[subject->family];

	(void)doctor;
	if (!path->routed || path->taken || path->works ||
	    !(link->paths[IP_V4].works || link->paths[IP_V6].works))
		return false;
	doctor_saw(out, DOCTOR_FAIL, "hawserd does not use it: what it asks there does not answer");
	doctor_mend(out, "check the modem and the provider at %s ('hawser links' shows since when)",
		    link->device);
	return true;
}

static int on_route(const struct nlmsghdr *header, void *context)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(attribute) == RTA_OIF &&
		    mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
			*(int *)context = (int)mnl_attr_get_u32(attribute);
	}
	return MNL_CB_OK;
}

/* The interface by which packets from this address leave; 0 or -errno without one. */
static int find_way_out(struct netlink *netlink, const union address *from)
{
	const bool v6 = from->sa.sa_family == AF_INET6;
	struct nlmsghdr *header = netlink_begin(netlink, RTM_GETROUTE, 0);
	struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	int device = 0;
	int err;

	message->rtm_family = v6 ? AF_INET6 : AF_INET;
	message->rtm_dst_len = message->rtm_src_len = v6 ? 128 : 32;
	mnl_attr_put(header, RTA_DST, v6 ? 16 : 4, v6 ? outside6 : outside4);
	mnl_attr_put(header, RTA_SRC, v6 ? 16 : 4,
		     v6 ? (const void *)&from->in6.sin6_addr : &from->in4.sin_addr);
	err = netlink_send(netlink, on_route, &device);
	return err ? err : device;
}

static size_t count_rules(const struct doctor *doctor, const struct doctor_subject *subject)
{
	const struct doctor_path *path = &subject->link->paths[subject->family];
	size_t count = 0;

	for (size_t i = 0; i < doctor->view.rule_count; i++) {
		const struct net_rule *rule = &doctor->view.rules[i];

		count += address_same_ip(&rule->from, &path->address) &&
			 (rule->table == RT_TABLE_MAIN || rule->table == subject->link->table);
	}
	return count;
}

/* Those that hawserd makes, and what they are for. */
static bool look_rule(struct doctor *doctor, const struct doctor_subject *subject,
		      struct doctor_finding *out)
{
	const struct doctor_link *link = subject->link;
	const struct doctor_path *path = &link->paths[subject->family];
	char address[ADDRESS_TEXT_MAX];
	char device[IF_NAMESIZE] = "no interface";
	int way;

	if (!path->works)
		return false;
	way = find_way_out(doctor->netlink, &path->address);
	address_format_ip(&path->address, address);
	if (way == link->index && (!has_table(doctor, link) || count_rules(doctor, subject) >= 2)) {
		doctor_saw(out, DOCTOR_OK, "packets from %s leave by %s", address, link->device);
		return true;
	}
	for (size_t i = 0; i < doctor->view.device_count; i++)
		if (doctor->view.devices[i].index == way)
			memcpy(device, doctor->view.devices[i].name, sizeof(device));
	if (has_table(doctor, link) && count_rules(doctor, subject) < 2) {
		doctor_saw(out, DOCTOR_FAIL,
			   "an IP rule is missing, so packets from %s leave by %s", address,
			   device);
		mend_by_reload(doctor, out);
	} else if (doctor->set_up) {
		doctor_saw(out, DOCTOR_FAIL,
			   "packets from %s leave by %s, because of an earlier IP rule", address,
			   device);
		doctor_mend(out,
			    "ip rule show; then 'ip rule del priority N' for the rule before %d",
			    LINK_PRIORITY_FIRST);
	} else {
		doctor_saw(out, DOCTOR_FAIL, "packets from %s leave by %s", address, device);
		doctor_mend(out,
			    "ip rule add from %s lookup %" PRIu32 " (and a default route in that "
			    "table; or let hawserd set up the links)",
			    address, link->table);
	}
	return true;
}

static bool look_endpoint(struct doctor *doctor, const struct doctor_subject *subject,
			  struct doctor_finding *out)
{
	const struct doctor_link *link = subject->link;
	const struct doctor_path *path = &link->paths[subject->family];
	char address[ADDRESS_TEXT_MAX];

	if (!path->works || strcmp(link->state, STANDBY) == 0 || !doctor->mptcp ||
	    !doctor->endpoints_known || (doctor->link_count < 2 && !doctor->set_up))
		return false;
	address_format_ip(&path->address, address);
	for (size_t i = 0; i < doctor->endpoint_count; i++) {
		if (!address_same_ip(&doctor->endpoints[i].address, &path->address) ||
		    doctor->endpoints[i].flags & MPTCP_PM_ADDR_FLAG_SIGNAL)
			continue;
		doctor_saw(out, DOCTOR_OK, "%s%s", address,
			   doctor->endpoints[i].backup ? ", a backup" : "");
		return true;
	}
	doctor_saw(out, DOCTOR_FAIL, "MPTCP has no endpoint %s, so no subflow starts there",
		   address);
	if (doctor->set_up && *json_text(doctor->link_answer, "without_endpoint"))
		doctor_mend(out, "see links above: the kernel keeps no more");
	else if (doctor->set_up)
		mend_by_reload(doctor, out);
	else
		doctor_mend(out, "ip mptcp endpoint add %s dev %s subflow", address, link->device);
	return true;
}

static bool look_gateway(struct doctor *doctor, const struct doctor_subject *subject,
			 struct doctor_finding *out)
{
	const struct doctor_link *link = subject->link;
	const struct doctor_path *path = &link->paths[subject->family];
	struct ping_round round = {.sizes = {ECHO_BYTES}, .count = 1};
	union address gateway = path->gateway;
	char text[ADDRESS_TEXT_MAX];
	struct ping echo;

	(void)doctor;
	if (!path->works || gateway.sa.sa_family == AF_UNSPEC)
		return false;
	if (gateway.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&gateway.in6.sin6_addr))
		gateway.in6.sin6_scope_id = (uint32_t)link->index;
	if (ping_open(&echo, link->device, &path->address, &gateway))
		return false; /* "rights" has said it */
	ping_send_round(&echo, &round, GATEWAY_WAIT_S);
	ping_close(&echo);
	address_format_ip(&gateway, text);
	if (round.answered[0]) {
		doctor_saw(out, DOCTOR_OK, "%s answers in %.1f ms", text, round.rtt_s * 1e3);
	} else if (round.error) {
		doctor_saw(out, DOCTOR_FAIL, "%s cannot be reached: %s", text,
			   strerror(round.error));
		doctor_mend(out,
			    "check the modem or router at %s, and whether this is its address "
			    "('ip neighbour show dev %s'; 'gateway' in its section link)",
			    link->device, link->device);
	} else {
		doctor_saw(out, DOCTOR_WARN, "%s does not answer echo requests", text);
		doctor_mend(out,
			    "nothing, if this link reaches the exits: some gateways never "
			    "answer; otherwise check the modem or router at %s",
			    link->device);
	}
	return true;
}

const struct doctor_check doctor_family_checks[] = {
	{"route", look_route, true},	 {"use", look_path_use, true},
	{"rule", look_rule, false},	 {"endpoint", look_endpoint, false},
	{"gateway", look_gateway, true}, {NULL, NULL, false},
};
