/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multipath TCP sockets: make them, ask them what they are. */
#include "mptcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/mptcp.h>

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

int mptcp_socket(int family, bool want_mptcp)
{
	const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = -1;

	if (want_mptcp)
		fd = socket(family, type, IPPROTO_MPTCP);
	/* ENOPROTOOPT: net.mptcp.enabled is 0; EPROTONOSUPPORT, EINVAL: built without it. */
	if (fd < 0 &&
	    (!want_mptcp || errno == ENOPROTOOPT || errno == EPROTONOSUPPORT || errno == EINVAL))
		fd = socket(family, type, IPPROTO_TCP);
	return fd < 0 ? -errno : fd;
}

enum transport mptcp_transport(int fd)
{
	struct mptcp_info info = {0};
	socklen_t len = sizeof(int);
	int protocol;

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len))
		return TRANSPORT_NONE;
	if (protocol != IPPROTO_MPTCP)
		return TRANSPORT_TCP;
	/* After a fallback the kernel passes SOL_MPTCP on to plain TCP, which refuses it. */
	len = sizeof(info);
	if (getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &len) ||
	    (info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK))
		return TRANSPORT_FALLBACK;
	return TRANSPORT_MPTCP;
}

unsigned int mptcp_subflows(int fd)
{
	/* No room for addresses: only the count is wanted (kernel 5.16, c11c5906bc0a). */
	struct mptcp_subflow_data data = {
		.size_subflow_data = sizeof(data),
		.size_user = sizeof(struct mptcp_subflow_addrs),
	};
	socklen_t len = sizeof(data);

	if (getsockopt(fd, SOL_MPTCP, MPTCP_SUBFLOW_ADDRS, &data, &len))
		return 1;
	return data.num_subflows;
}

const char *transport_name(enum transport transport)
{
	static const char *const names[TRANSPORT_COUNT] = {
		[TRANSPORT_NONE] = "none",
		[TRANSPORT_TCP] = "tcp",
		[TRANSPORT_MPTCP] = "mptcp",
		[TRANSPORT_FALLBACK] = "fallback",
	};

	return names[transport];
}
