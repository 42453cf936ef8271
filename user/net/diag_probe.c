/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this kernel can be asked about TCP sockets by sock_diag(7), found out by asking. */
#include "net/diag_probe.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/netlink.h"

int diag_probe_tcp(void)
{
	struct netlink *netlink = netlink_open(NETLINK_SOCK_DIAG);
	struct inet_diag_req_v2 *request;
	int err;

	if (!netlink)
		return -errno;
	/* A list of those that are in no state. */
	request = mnl_nlmsg_put_extra_header(
		netlink_begin(netlink, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP), sizeof(*request));
	request->sdiag_family = AF_INET;
	request->sdiag_protocol = IPPROTO_TCP;
	err = netlink_send(netlink, NULL, NULL);
	netlink_close(netlink);
	return err;
}
