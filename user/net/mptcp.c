/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multipath TCP sockets: make them, ask them what they are. */
#include "net/mptcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/mptcp.h>

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

/* More than any path manager makes (its limit is 8). */
#define SUBFLOWS_MAX 16

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

bool mptcp_tells_fallback(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	struct mptcp_info info;
	socklen_t len = sizeof(info);
	bool tells;

	if (fd < 0)
		return false;
	tells = getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &len) == 0;
	close(fd);
	return tells;
}

unsigned int mptcp_subflows(int fd)
{
	/* Of each subflow's struct tcp_info only the first byte, its state, is asked for
	 * (kernel 5.16, 06f15cee3691). */
	struct {
		struct mptcp_subflow_data data;
		uint8_t states[SUBFLOWS_MAX];
	} request = {.data = {.size_subflow_data = sizeof(request.data), .size_user = 1}};
	socklen_t len = sizeof(request);
	unsigned int connected = 0;

	if (getsockopt(fd, SOL_MPTCP, MPTCP_TCPINFO, &request, &len))
		return 1;
	for (unsigned int i = 0; i < request.data.num_subflows && i < SUBFLOWS_MAX; i++)
		if (request.states[i] != TCP_SYN_SENT && request.states[i] != TCP_SYN_RECV &&
		    request.states[i] != TCP_CLOSE)
			connected++;
	return connected;
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
