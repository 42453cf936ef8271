/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the kernel would send a packet of ours. */
#include "net/way.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "net/netlink.h"
#include "net/way_memory.h"

struct found {
	uint8_t type;
	uint8_t bits;
	struct net_way way;
};

static int on_found(const struct nlmsghdr *header, void *context)
{
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	struct found *found = context;
	const struct nlattr *attribute;

	found->type = message->rtm_type;
	found->bits = message->rtm_dst_len;
	found->way.table = message->rtm_table;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		const uint16_t type = mnl_attr_get_type(attribute);
		const bool is_number = mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0;

		if (type == RTA_OIF && is_number)
			found->way.device = (int)mnl_attr_get_u32(attribute);
		else if (type == RTA_TABLE && is_number)
			found->way.table = mnl_attr_get_u32(attribute);
		/* Of several next hops, the first stands for all. */
		else if (type == RTA_MULTIPATH &&
			 mnl_attr_get_payload_len(attribute) >= sizeof(struct rtnexthop))
			found->way.device =
				((const struct rtnexthop *)mnl_attr_get_payload(attribute))
					->rtnh_ifindex;
	}
	return MNL_CB_STOP;
}

static void put_address(struct nlmsghdr *header, uint16_t type, const union address *address)
{
	const bool v6 = address->sa.sa_family == AF_INET6;

	mnl_attr_put(header, type, v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr),
		     v6 ? (const void *)&address->in6.sin6_addr : &address->in4.sin_addr);
}

/* Begins a question for the route to an address. */
static struct nlmsghdr *begin_question(struct netlink *netlink, const union address *to,
				       uint32_t flags)
{
	struct nlmsghdr *header = netlink_begin(netlink, RTM_GETROUTE, 0);
	struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	/* One message is the whole answer: whoever reads it returns MNL_CB_STOP. */
	header->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	message->rtm_family = (uint8_t)to->sa.sa_family;
	message->rtm_dst_len = to->sa.sa_family == AF_INET6 ? 128 : 32;
	message->rtm_flags = flags;
	put_address(header, RTA_DST, to);
	return header;
}

static void put_source(struct nlmsghdr *header, const union address *from)
{
	((struct rtmsg *)mnl_nlmsg_get_payload(header))->rtm_src_len =
		from->sa.sa_family == AF_INET6 ? 128 : 32;
	put_address(header, RTA_SRC, from);
}

static int ask(struct netlink *netlink, const union address *from, const union address *to,
	       uint32_t flags, struct found *out)
{
	struct nlmsghdr *header = begin_question(netlink, to, flags);

	if (from)
		put_source(header, from);
	return netlink_send(netlink, on_found, out);
}

/* The route as it stands in its table, and with it the length of its prefix. */
static int find_from(struct netlink *netlink, const union address *from, const union address *to,
		     struct found *out)
{
	struct found resolved = {0};
	int err;

	*out = (struct found){0};
	err = ask(netlink, from, to, RTM_F_FIB_MATCH, out);
	if (err || out->way.device || out->type != RTN_UNICAST)
		return err;
	/* A next-hop object has the interface. */
	err = ask(netlink, from, to, 0, &resolved);
	out->way.device = resolved.way.device;
	return err;
}

/* The address that connect() takes. Nothing is sent. */
static int choose_source(const union address *to, union address *out)
{
	socklen_t len = sizeof(*out);
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, &to->sa, address_length(to)) || getsockname(fd, &out->sa, &len))
		err = -errno;
	close(fd);
	return err;
}

/* Where each default route is for some sources only (RFC 8043), as on OpenWrt, the kernel knows no
 * way for a packet that has none yet, and connect() tries again with the source that it chose. */
static int find(struct netlink *netlink, const union address *to, struct found *out)
{
	union address from;
	int err = find_from(netlink, NULL, to, out);

	if (err != -ENETUNREACH || to->sa.sa_family != AF_INET6 || choose_source(to, &from))
		return err;
	return find_from(netlink, &from, to, out);
}

/* As its packets are asked about: rules, and the choice among several next hops, may look at mark
 * and ports. */
static int ask_connection(struct netlink *netlink, const union address *from,
			  const union address *to, uint32_t mark, bool with_source,
			  struct found *out)
{
	struct nlmsghdr *header = begin_question(netlink, to, 0);

	if (with_source)
		put_source(header, from);
	mnl_attr_put_u8(header, RTA_IP_PROTO, IPPROTO_TCP);
	mnl_attr_put_u16(header, RTA_SPORT, htons(address_port(from)));
	mnl_attr_put_u16(header, RTA_DPORT, htons(address_port(to)));
	if (mark)
		mnl_attr_put_u32(header, RTA_MARK, mark);
	if (to->sa.sa_family == AF_INET6 && to->in6.sin6_scope_id)
		mnl_attr_put_u32(header, RTA_OIF, to->in6.sin6_scope_id);
	return netlink_send(netlink, on_found, out);
}

int way_device(struct netlink *netlink, const union address *to, const union address *from,
	       uint32_t mark, bool foreign)
{
	struct found found = {0};
	int err = ask_connection(netlink, from, to, mark, true, &found);

	/* The kernel answers for addresses of this host only. */
	if (foreign && (err == -EINVAL || err == -ENETUNREACH))
		err = ask_connection(netlink, from, to, mark, false, &found);
	if (err)
		return err;
	return found.type == RTN_UNICAST && found.way.device ? found.way.device : -EHOSTUNREACH;
}

int way_remember(struct netlink *netlink)
{
	struct way_memory *memory = way_memory_open();

	if (!memory)
		return -errno;
	netlink_attach(netlink, memory, way_memory_close);
	return 0;
}

static int ask_default(struct netlink *netlink, const union address *to)
{
	struct found found;
	int err = find(netlink, to, &found);

	if (err == -ENETUNREACH)
		return 0;
	if (err)
		return err;
	return found.bits == 0 && found.type == RTN_UNICAST ? found.way.device : -EEXIST;
}

int route_find_default(struct netlink *netlink, const union address *to)
{
	struct way_memory *memory = netlink_attached(netlink);
	int answer;

	if (way_memory_find(memory, WAY_DEFAULT, to, &answer))
		return answer;
	answer = ask_default(netlink, to);
	if (answer >= 0 || answer == -EEXIST)
		way_memory_keep(memory, WAY_DEFAULT, to, answer);
	return answer;
}

struct net_way net_way_find(struct netlink *netlink, enum ip_family family,
			    const union address *from)
{
	/* Of documentation (RFC 5737, RFC 3849), and of a root name server, for who sends the
	 * former nowhere. */
	static const char *const outside[IP_FAMILIES][2] = {
		[IP_V4] = {"192.0.2.1", "198.41.0.4"},
		[IP_V6] = {"2001:db8::1", "2001:503:ba3e::2:30"},
	};

	for (size_t i = 0; i < sizeof(outside[0]) / sizeof(outside[0][0]); i++) {
		struct prefix prefix;
		struct found found;

		if (prefix_parse(outside[family][i], &prefix) == 0 &&
		    find_from(netlink, from, &prefix.base, &found) == 0 &&
		    found.type == RTN_UNICAST && found.bits <= NET_WAY_BITS_MAX)
			return found.way;
	}
	return (struct net_way){0};
}

static int on_route_type(const struct nlmsghdr *header, void *context)
{
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);

	*(unsigned char *)context = message->rtm_type;
	return MNL_CB_STOP;
}

static int ask_own(struct netlink *netlink, const union address *to)
{
	unsigned char type = RTN_UNSPEC;
	struct nlmsghdr *header;
	union address plain = *to;
	int err;

	if (to->sa.sa_family == AF_INET6) /* and it takes v4-mapped ones for IPv4 */
		address_from_bytes(&plain, AF_INET6, &to->in6.sin6_addr, address_port(to));
	header = begin_question(netlink, &plain, 0);
	/* As connect() asks, since rules may look at it. */
	mnl_attr_put_u8(header, RTA_IP_PROTO, IPPROTO_TCP);
	mnl_attr_put_u16(header, RTA_DPORT, plain.in4.sin_port);
	if (plain.sa.sa_family == AF_INET6 && to->in6.sin6_scope_id)
		mnl_attr_put_u32(header, RTA_OIF, to->in6.sin6_scope_id);
	err = netlink_send(netlink, on_route_type, &type);
	switch (err) {
	case 0:
		break;
	case -ENETUNREACH:
	case -EHOSTUNREACH: /* a route of the type "unreachable" */
	case -EACCES:	    /* "prohibit" */
		return 0;
	default:
		return err;
	}
	switch (type) {
	case RTN_UNICAST:
		return 0;
	case RTN_UNSPEC:
		return -EPROTO;
	default:
		return 1;
	}
}

int route_is_own(struct netlink *netlink, const union address *to)
{
	struct way_memory *memory;
	int own;

	/* connect() takes these for loopback. */
	if (address_is_any(to) || address_is_loopback(to))
		return 1;
	memory = netlink_attached(netlink);
	if (way_memory_find(memory, WAY_IS_OWN, to, &own))
		return own;
	own = ask_own(netlink, to);
	if (own >= 0)
		way_memory_keep(memory, WAY_IS_OWN, to, own);
	return own;
}
