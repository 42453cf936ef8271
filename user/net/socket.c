/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options and ends of one stream socket, the same for TCP and MPTCP. */
#include "net/socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* its tcp_info is newer than glibc's */
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net/kernel.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

#define EARLY_BACKLOG 256 /* of connections whose handshake is not done */

/* The kernel's own range of ports, where it cannot be read; and so many are tried. */
#define PORT_FIRST 32768
#define PORT_LAST  60999
#define PORT_TRIES 16

/* 0 or -errno. Where a refusal is passed over, kernel.h tells of it in a feature. */
static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

/* Urgent bytes stay in their place in the stream. On MPTCP sockets, which refuse this, they do so
 * anyway. */
static void keep_urgent_in_place(int fd)
{
	(void)set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

void socket_bound(int fd, uint32_t receive_bytes, uint32_t unsent_bytes)
{
	const uint32_t size = smaller(receive_bytes, kernel_rmem_max());
	/* As much as the first window of a peer that is a hawserd, too. */
	const uint32_t send_size = smaller(receive_bytes / 2, kernel_wmem_max());

	/* The kernel doubles what it is given, for its own bookkeeping (socket(7)). */
	(void)set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, (int)(size / 2));
	/* The MPTCP sockets of 6.1 do not know it. */
	if (set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, (int)unsent_bytes))
		(void)set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, (int)(send_size / 2));
	/* Of two that come before anybody looks at the socket, the first would be gone. */
	keep_urgent_in_place(fd);
}

bool socket_is_connected(int fd)
{
	union address peer;
	socklen_t len = sizeof(peer);

	return getpeername(fd, &peer.sa, &len) == 0;
}

int socket_error(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) ? errno : err;
}

int socket_set_transparent(int fd, int family, bool transparent)
{
	const int on = transparent;

	if (family == AF_INET6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on)) ? -errno : 0;
	return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on)) ? -errno : 0;
}

int socket_set_freebind(int fd, int family)
{
	const int on = 1;

	if (family == AF_INET6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) ? -errno : 0;
	return setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) ? -errno : 0;
}

int socket_bind_foreign(int fd, const union address *address)
{
	union address any_port = *address;
	int err = socket_set_transparent(fd, address->sa.sa_family, true);

	if (err)
		return err;
	address_set_port(&any_port, 0);
	return socket_bind_source(fd, &any_port);
}

uint64_t socket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ? 0 : cookie;
}

void socket_local_address(int fd, union address *out)
{
	socklen_t len = sizeof(*out);

	*out = (union address){0};
	if (getsockname(fd, &out->sa, &len))
		out->sa.sa_family = AF_UNSPEC;
}

/* The range of ports that the kernel chooses from. */
static void port_range(uint32_t *first, uint32_t *count)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	char line[32] = "";
	char *end = line;
	unsigned long low;
	unsigned long high;

	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	low = strtoul(line, &end, 10);
	high = strtoul(end, NULL, 10);
	if (low == 0 || high < low || high > UINT16_MAX) {
		low = PORT_FIRST;
		high = PORT_LAST;
	}
	*first = (uint32_t)low;
	*count = (uint32_t)(high - low) + 1;
}

/* Where a port must be chosen before it is known whom it must differ for: one that nobody has, and
 * if there is none, one that others who allow it have. */
static int bind_early(int fd, const union address *source)
{
	union address chosen = *source;
	uint32_t first;
	uint32_t count;
	int err;

	(void)set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	err = bind(fd, &source->sa, address_length(source)) ? -errno : 0;
	if (err != -EADDRINUSE)
		return err;
	port_range(&first, &count);
	for (int i = 0; err == -EADDRINUSE && i < PORT_TRIES; i++) {
		address_set_port(&chosen, (uint16_t)(first + randombytes_uniform(count)));
		err = bind(fd, &chosen.sa, address_length(&chosen)) ? -errno : 0;
	}
	return err;
}

int socket_bind_source(int fd, const union address *source)
{
	/* Nor do they know this. */
	if (set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1))
		return bind_early(fd, source);
	return bind(fd, &source->sa, address_length(source)) ? -errno : 0;
}

/* All zero if unknown. */
static struct tcp_info tcp_info(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	(void)getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info;
}

void socket_take_early(int fd)
{
	(void)set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, EARLY_BACKLOG);
}

void socket_send_early(int fd)
{
	(void)set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
}

bool socket_early_lost(int fd)
{
	/* Linux 5.5, 480274787d7e. */
	return tcp_info(fd).tcpi_fastopen_client_fail == TFO_SYN_RETRANSMITTED;
}

uint32_t socket_rtt_us(int fd)
{
	return tcp_info(fd).tcpi_rtt;
}

uint32_t socket_receive_rtt_us(int fd)
{
	const struct tcp_info info = tcp_info(fd);

	return info.tcpi_rcv_rtt > info.tcpi_rtt ? info.tcpi_rcv_rtt : info.tcpi_rtt;
}

uint64_t socket_received_bytes(int fd)
{
	return tcp_info(fd).tcpi_bytes_received;
}

int socket_unacknowledged(int fd)
{
	int bytes;

	return ioctl(fd, SIOCOUTQ, &bytes) ? 0 : bytes;
}

int socket_set_congestion(int fd, const char *name)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) ? -errno
											  : 0;
}

uint64_t socket_netns_cookie(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		cookie = 0;
	if (fd >= 0)
		close(fd);
	return cookie;
}
