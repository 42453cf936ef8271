/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's connection tracking remembers of a connection. */
#include "net/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <unistd.h>

#include "net/netlink.h"

bool conntrack_is_there(void)
{
	return access("/proc/sys/net/netfilter/nf_conntrack_max", F_OK) == 0;
}

static void put_ip(struct nlmsghdr *header, const union address *address, uint16_t ipv4,
		   uint16_t ipv6)
{
	if (address->sa.sa_family == AF_INET6)
		mnl_attr_put(header, ipv6, sizeof(struct in6_addr), &address->in6.sin6_addr);
	else
		mnl_attr_put_u32(header, ipv4, address->in4.sin_addr.s_addr);
}

int conntrack_forget(struct netlink *netlink, const union address *from, const union address *to)
{
	struct nlmsghdr *header =
		netlink_begin(netlink, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0);
	struct nfgenmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	struct nlattr *tuple;
	struct nlattr *part;
	int err;

	message->nfgen_family = (uint8_t)from->sa.sa_family;
	message->version = NFNETLINK_V0;
	tuple = mnl_attr_nest_start(header, CTA_TUPLE_ORIG);
	part = mnl_attr_nest_start(header, CTA_TUPLE_IP);
	put_ip(header, from, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
	put_ip(header, to, CTA_IP_V4_DST, CTA_IP_V6_DST);
	mnl_attr_nest_end(header, part);
	part = mnl_attr_nest_start(header, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(header, CTA_PROTO_NUM, IPPROTO_TCP);
	mnl_attr_put_u16(header, CTA_PROTO_SRC_PORT, htons(address_port(from)));
	mnl_attr_put_u16(header, CTA_PROTO_DST_PORT, htons(address_port(to)));
	mnl_attr_nest_end(header, part);
	mnl_attr_nest_end(header, tuple);
	err = netlink_send(netlink, NULL, NULL);
	return err == -ENOENT ? 0 : err;
}
