/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells of the subflows of one socket. */
#include "net/subflow.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* its tcp_info is newer than glibc's */
#include <string.h>
#include <sys/ioctl.h>

#include "net/netlink.h"
#include "net/socket.h"

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

/* Since 6.5 (kernel 492432074e4f); younger than the headers of Debian 12. */
#define FULL_INFO 4

/* TCP_ESTABLISHED of netinet/tcp.h, which has an older tcp_info. */
#define ESTABLISHED 1

/* Less waits in passing. */
#define WAITING_BYTES (256 * 1024)

struct subflow_info {
	uint32_t id;
	struct mptcp_subflow_addrs addrs;
};

struct full_info {
	uint32_t size_tcpinfo_kernel;
	uint32_t size_tcpinfo_user;
	uint32_t size_sfinfo_kernel;
	uint32_t size_sfinfo_user;
	uint32_t num_subflows;
	uint32_t size_arrays_user;
	uint64_t subflow_info __attribute__((aligned(8))); /* pointers */
	uint64_t tcp_info __attribute__((aligned(8)));
	struct mptcp_info mptcp_info;
};

static void take_tcp_info(struct subflow *subflow, const struct tcp_info *info)
{
	subflow->state = info->tcpi_state;
	subflow->rtt_us = info->tcpi_rtt;
	subflow->cwnd = info->tcpi_snd_cwnd;
	subflow->bytes_sent = info->tcpi_bytes_sent;
	subflow->bytes_received = info->tcpi_bytes_received;
	subflow->bytes_retransmitted = info->tcpi_bytes_retrans;
	subflow->bytes_arrived = (uint64_t)info->tcpi_data_segs_in * info->tcpi_rcv_mss;
	subflow->retransmissions = info->tcpi_total_retrans;
	subflow->unacked = info->tcpi_unacked;
	subflow->last_ack_ms = info->tcpi_last_ack_recv;
	subflow->last_data_sent_ms = info->tcpi_last_data_sent;
	subflow->last_data_received_ms = info->tcpi_last_data_recv;
}

static void take_address(union address *out, const void *from)
{
	union address address;

	memcpy(&address, from, sizeof(address));
	if (address.sa.sa_family == AF_INET6)
		address_from_bytes(out, AF_INET6, &address.in6.sin6_addr, address_port(&address));
	else
		address_from_bytes(out, AF_INET, &address.in4.sin_addr, address_port(&address));
}

static void take_addresses(struct subflow *subflow, const struct mptcp_subflow_addrs *addresses)
{
	take_address(&subflow->local, &addresses->ss_local);
	take_address(&subflow->remote, &addresses->ss_remote);
}

/* All in one call, so that the arrays agree. -errno, or how many. */
static int list_full(int fd, struct subflow *out)
{
	struct tcp_info tcp[SUBFLOWS_MAX];
	struct subflow_info subflows[SUBFLOWS_MAX];
	struct full_info info = {.size_tcpinfo_user = sizeof(tcp[0]),
				 .size_sfinfo_user = sizeof(subflows[0]),
				 .size_arrays_user = SUBFLOWS_MAX,
				 .subflow_info = (uint64_t)(uintptr_t)subflows,
				 .tcp_info = (uint64_t)(uintptr_t)tcp};
	socklen_t len = sizeof(info);
	int count;

	memset(tcp, 0, sizeof(tcp));
	memset(subflows, 0, sizeof(subflows));
	if (getsockopt(fd, SOL_MPTCP, FULL_INFO, &info, &len))
		return -errno;
	count = info.num_subflows < SUBFLOWS_MAX ? (int)info.num_subflows : SUBFLOWS_MAX;
	for (int i = 0; i < count; i++) {
		out[i] = (struct subflow){0};
		take_tcp_info(&out[i], &tcp[i]);
		take_addresses(&out[i], &subflows[i].addrs);
	}
	return count;
}

/* Before 6.5, in two calls; a subflow that comes or goes in between is found by the counts. */
static int list_in_two(int fd, struct subflow *out)
{
	struct {
		struct mptcp_subflow_data data;
		struct tcp_info tcp[SUBFLOWS_MAX];
	} info = {
		.data = {.size_subflow_data = sizeof(info.data), .size_user = sizeof(info.tcp[0])}};
	struct {
		struct mptcp_subflow_data data;
		struct mptcp_subflow_addrs addresses[SUBFLOWS_MAX];
	} pairs = {.data = {.size_subflow_data = sizeof(pairs.data),
			    .size_user = sizeof(pairs.addresses[0])}};
	socklen_t info_len = sizeof(info);
	socklen_t pairs_len = sizeof(pairs);
	int count;

	if (getsockopt(fd, SOL_MPTCP, MPTCP_TCPINFO, &info, &info_len) ||
	    getsockopt(fd, SOL_MPTCP, MPTCP_SUBFLOW_ADDRS, &pairs, &pairs_len))
		return -errno;
	if (info.data.num_subflows != pairs.data.num_subflows)
		return -EAGAIN;
	count = info.data.num_subflows < SUBFLOWS_MAX ? (int)info.data.num_subflows : SUBFLOWS_MAX;
	for (int i = 0; i < count; i++) {
		out[i] = (struct subflow){0};
		take_tcp_info(&out[i], &info.tcp[i]);
		take_addresses(&out[i], &pairs.addresses[i]);
	}
	return count;
}

static size_t list_tcp(int fd, struct subflow *out)
{
	struct tcp_info info = {0};
	union address address = {0};
	socklen_t len = sizeof(info);

	*out = (struct subflow){.backup = SUBFLOW_BACKUP_NO};
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return 0;
	take_tcp_info(out, &info);
	len = sizeof(address);
	if (getsockname(fd, &address.sa, &len) == 0)
		take_address(&out->local, &address);
	len = sizeof(address);
	if (getpeername(fd, &address.sa, &len) == 0)
		take_address(&out->remote, &address);
	return 1;
}

size_t subflow_list(int fd, enum transport transport, struct subflow out[SUBFLOWS_MAX])
{
	int count;

	if (transport == TRANSPORT_NONE)
		return 0;
	if (transport != TRANSPORT_MPTCP)
		return list_tcp(fd, out);
	count = list_full(fd, out);
	for (int tries = 0; count < 0 && count != -EBADF && tries < 3; tries++)
		count = list_in_two(fd, out);
	return count > 0 ? (size_t)count : 0;
}

/* An acknowledgement may be this late by the receiver's doing. */
#define LATE_MS	  20
#define RECENT_MS 1000

/* In no use for two round trips, and in use before. */
static bool stands_idle(const struct subflow *subflow, bool sends)
{
	const uint32_t idle_ms =
		sends ? subflow->last_data_sent_ms : subflow->last_data_received_ms;

	return subflow->unacked == 0 && idle_ms < RECENT_MS &&
	       idle_ms > subflow->rtt_us / 1000 * 2 + LATE_MS;
}

static bool waits_to_send(int fd)
{
	int bytes;

	return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > WAITING_BYTES;
}

/* Most of what came lacks something before it. */
static bool waits_to_read(int fd)
{
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(memory);
	int readable;

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &len) == 0 &&
	       memory[SK_MEMINFO_RMEM_ALLOC] > WAITING_BYTES &&
	       ioctl(fd, SIOCINQ, &readable) == 0 &&
	       (uint32_t)readable < memory[SK_MEMINFO_RMEM_ALLOC] / 4;
}

const struct subflow *subflow_awaited(int fd, const struct subflow *subflows, size_t count)
{
	const struct subflow *quick = NULL;
	const struct subflow *slow = NULL;

	for (size_t i = 0; i < count; i++) {
		if (subflows[i].state != ESTABLISHED || subflows[i].rtt_us == 0)
			continue;
		if (!quick || subflows[i].rtt_us < quick->rtt_us)
			quick = &subflows[i];
		if (!slow || subflows[i].rtt_us > slow->rtt_us)
			slow = &subflows[i];
	}
	if (!quick || quick == slow)
		return NULL;
	if (stands_idle(quick, true) && slow->unacked > 0 && waits_to_send(fd))
		return slow;
	return stands_idle(quick, false) && waits_to_read(fd) ? slow : NULL;
}

static void read_ulp(const struct nlattr *ulp, struct subflow *subflow)
{
	const struct nlattr *kind;
	const struct nlattr *attribute;
	uint32_t flags;

	mnl_attr_for_each_nested(kind, ulp)
	{
		if (mnl_attr_get_type(kind) != INET_ULP_INFO_MPTCP)
			continue;
		mnl_attr_for_each_nested(attribute, kind)
		{
			if (mnl_attr_get_type(attribute) != MPTCP_SUBFLOW_ATTR_FLAGS ||
			    mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
				continue;
			flags = mnl_attr_get_u32(attribute);
			subflow->backup =
				flags & (MPTCP_SUBFLOW_FLAG_BKUP_REM | MPTCP_SUBFLOW_FLAG_BKUP_LOC)
					? SUBFLOW_BACKUP_YES
					: SUBFLOW_BACKUP_NO;
		}
	}
}

static int on_socket(const struct nlmsghdr *header, void *context)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct inet_diag_msg))
	{
		if (mnl_attr_get_type(attribute) == INET_DIAG_ULP_INFO)
			read_ulp(attribute, context);
	}
	return MNL_CB_OK;
}

static void put_ip(__be32 out[4], const union address *address)
{
	if (address->sa.sa_family == AF_INET6)
		memcpy(out, &address->in6.sin6_addr, sizeof(address->in6.sin6_addr));
	else
		memcpy(out, &address->in4.sin_addr, sizeof(address->in4.sin_addr));
}

void subflow_ask_backup(struct subflow *subflows, size_t count)
{
	struct netlink *netlink = count > 0 ? netlink_open(NETLINK_SOCK_DIAG) : NULL;

	for (size_t i = 0; netlink && i < count; i++) {
		struct subflow *subflow = &subflows[i];
		struct nlmsghdr *header = netlink_begin(netlink, SOCK_DIAG_BY_FAMILY, 0);
		struct inet_diag_req_v2 *request =
			mnl_nlmsg_put_extra_header(header, sizeof(*request));

		if (subflow->backup != SUBFLOW_BACKUP_UNKNOWN)
			continue;
		request->sdiag_family = (uint8_t)subflow->local.sa.sa_family;
		request->sdiag_protocol = IPPROTO_TCP;
		request->idiag_ext = 1U << (INET_DIAG_INFO - 1);
		request->id.idiag_sport = subflow->local.in4.sin_port;
		request->id.idiag_dport = subflow->remote.in4.sin_port;
		request->id.idiag_if = (uint32_t)subflow->device;
		put_ip(request->id.idiag_src, &subflow->local);
		put_ip(request->id.idiag_dst, &subflow->remote);
		request->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
		request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
		/* One that has gone meanwhile stays unknown. */
		(void)netlink_send(netlink, on_socket, subflow);
	}
	netlink_close(netlink);
}

const char *subflow_state_name(uint8_t state)
{
	/* As in the kernel's include/net/tcp_states.h. */
	static const char *const names[] = {
		"-",	     "established", "syn-sent",	  "syn-recv", "fin-wait-1", "fin-wait-2",
		"time-wait", "close",	    "close-wait", "last-ack", "listen",	    "closing",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : names[0];
}
