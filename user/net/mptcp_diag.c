/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subflows of all MPTCP connections of this network namespace. */
#include "net/mptcp_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>

#include "net/netlink.h"

#define LIVE                                                                                       \
	(1U << TCP_ESTABLISHED | 1U << TCP_CLOSE_WAIT | 1U << TCP_SYN_SENT | 1U << TCP_FIN_WAIT1 | \
	 1U << TCP_FIN_WAIT2)
#define BY_PEER (MPTCP_SUBFLOW_FLAG_MCAP_REM | MPTCP_SUBFLOW_FLAG_JOIN_REM)

struct list {
	struct mptcp_diag_subflow *subflows;
	size_t count;
};

static void read_ulp(const struct nlattr *ulp, struct mptcp_diag_subflow *subflow)
{
	const struct nlattr *kind;
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(kind, ulp)
	{
		if (mnl_attr_get_type(kind) != INET_ULP_INFO_MPTCP)
			continue;
		mnl_attr_for_each_nested(attribute, kind)
		{
			if (mnl_attr_get_type(attribute) == MPTCP_SUBFLOW_ATTR_ID_REM &&
			    mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0)
				subflow->far_id = mnl_attr_get_u8(attribute);
			if (mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
				continue;
			if (mnl_attr_get_type(attribute) == MPTCP_SUBFLOW_ATTR_TOKEN_LOC)
				subflow->token = mnl_attr_get_u32(attribute);
			if (mnl_attr_get_type(attribute) != MPTCP_SUBFLOW_ATTR_FLAGS)
				continue;
			subflow->by_peer = mnl_attr_get_u32(attribute) & BY_PEER;
			subflow->dialled =
				mnl_attr_get_u32(attribute) & MPTCP_SUBFLOW_FLAG_MCAP_REM;
		}
	}
}

/* MPTCP half-closes by its own signal (RFC 8684 section 3.3.3), TCP that was fallen back to by a
 * FIN: with the peer taking part, a subflow that has sent one is on its way out. */
static bool is_closing(uint8_t state, const struct mptcp_diag_subflow *subflow)
{
	return subflow->by_peer && (state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2);
}

static uint32_t quiet_ms(const struct nlattr *attribute)
{
	const struct tcp_info *info = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_payload_len(attribute) <
	    offsetof(struct tcp_info, tcpi_last_ack_recv) + sizeof(info->tcpi_last_ack_recv))
		return 0;
	return info->tcpi_last_data_recv < info->tcpi_last_ack_recv ? info->tcpi_last_data_recv
								    : info->tcpi_last_ack_recv;
}

static int on_socket(const struct nlmsghdr *header, void *context)
{
	const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(header);
	const struct nlattr *attribute;
	struct mptcp_diag_subflow subflow = {.established = socket->idiag_state != TCP_SYN_SENT};
	struct list *list = context;

	mnl_attr_for_each(attribute, header, sizeof(*socket))
	{
		if (mnl_attr_get_type(attribute) == INET_DIAG_ULP_INFO)
			read_ulp(attribute, &subflow);
		else if (mnl_attr_get_type(attribute) == INET_DIAG_INFO)
			subflow.quiet_ms = quiet_ms(attribute);
	}
	if (subflow.token == 0 || is_closing(socket->idiag_state, &subflow))
		return MNL_CB_OK;
	address_from_bytes(&subflow.local, socket->idiag_family, socket->id.idiag_src, 0);
	address_from_bytes(&subflow.far, socket->idiag_family, socket->id.idiag_dst,
			   ntohs(socket->id.idiag_dport));
	return NETLINK_LIST_ADD(list->subflows, list->count, &subflow);
}

static int dump(struct netlink *netlink, uint8_t family, struct list *list)
{
	struct nlmsghdr *header = netlink_begin(netlink, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(header, sizeof(*request));

	request->sdiag_family = family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_states = LIVE;
	/* Else there is nothing of MPTCP (run on 6.18). */
	request->idiag_ext = 1U << (INET_DIAG_INFO - 1);
	return netlink_send(netlink, on_socket, list);
}

static int by_token(const void *a, const void *b)
{
	const struct mptcp_diag_subflow *x = a;
	const struct mptcp_diag_subflow *y = b;

	return x->token < y->token ? -1 : x->token > y->token;
}

int mptcp_diag_list(struct mptcp_diag_subflow **out, size_t *count)
{
	struct netlink *netlink = netlink_open(NETLINK_SOCK_DIAG);
	struct list list = {0};
	int err;

	*out = NULL;
	*count = 0;
	if (!netlink)
		return -errno;
	err = dump(netlink, AF_INET, &list);
	if (!err)
		err = dump(netlink, AF_INET6, &list);
	netlink_close(netlink);
	if (err) {
		free(list.subflows);
		return err;
	}
	if (list.count > 0)
		qsort(list.subflows, list.count, sizeof(*list.subflows), by_token);
	*out = list.subflows;
	*count = list.count;
	return 0;
}
