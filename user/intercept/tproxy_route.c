// SPDX-License-Identifier: GPL-2.0-or-later
/* The rule and the route that TPROXY needs, by rtnetlink. */
#include "intercept/tproxy_route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <libmnl/libmnl.h>

#define MESSAGE_BYTES 256
#define ANSWER_BYTES  8192 /* what libmnl advises, which is no constant */

/* Sends one request and reads its acknowledgement. 0 or -errno. */
static int converse(struct nlmsghdr *request)
{
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char answer[ANSWER_BYTES];
	ssize_t len;
	int err = 0;

	if (!netlink)
		return -errno;
	request->nlmsg_seq = 1;
	if (mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(netlink, request, request->nlmsg_len) < 0) {
		err = -errno;
		goto out;
	}
	len = mnl_socket_recvfrom(netlink, answer, sizeof(answer));
	if (len < 0 ||
	    mnl_cb_run(answer, (size_t)len, 1, mnl_socket_get_portid(netlink), NULL, NULL) < 0)
		err = -errno;
out:
	mnl_socket_close(netlink);
	return err;
}

static int change_rule(int family, uint16_t type, uint16_t flags)
{
	char buffer[MESSAGE_BYTES] = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct fib_rule_hdr *rule;

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	rule = mnl_nlmsg_put_extra_header(request, sizeof(*rule));
	rule->family = (uint8_t)family;
	rule->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(request, FRA_PRIORITY, STEER_PRIORITY);
	mnl_attr_put_u32(request, FRA_FWMARK, STEER_MARK);
	mnl_attr_put_u32(request, FRA_FWMASK, STEER_MARK);
	mnl_attr_put_u32(request, FRA_TABLE, STEER_TABLE);
	return converse(request);
}

static int change_route(int family, uint16_t type, uint16_t flags)
{
	char buffer[MESSAGE_BYTES] = {0};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtmsg *route;

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = (uint8_t)family;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_HOST;
	route->rtm_type = RTN_LOCAL;
	mnl_attr_put_u32(request, RTA_TABLE, STEER_TABLE);
	mnl_attr_put_u32(request, RTA_OIF, if_nametoindex("lo"));
	return converse(request);
}

int tproxy_route_add(int family)
{
	int err = change_route(family, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);

	if (err)
		return err;
	err = change_rule(family, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
	return err == -EEXIST ? 0 : err;
}

/* Whether a removal failed because there is nothing to remove; also where a family is off. */
static bool is_absent(int err)
{
	return err == -ENOENT || err == -ESRCH || err == -EAFNOSUPPORT || err == -EOPNOTSUPP;
}

int tproxy_route_remove(int family)
{
	int rule_err;
	int route_err;

	do {
		rule_err = change_rule(family, RTM_DELRULE, 0);
	} while (!rule_err);
	route_err = change_route(family, RTM_DELROUTE, 0);
	if (!is_absent(rule_err))
		return rule_err;
	return route_err && !is_absent(route_err) ? route_err : 0;
}
