/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/listen_open.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/local_address.h"
#include "net/mptcp.h"
#include "net/socket.h"

#define BACKLOG 4096 /* the kernel caps it at net.core.somaxconn */

enum listen_address listen_address_judge(const struct listen_config *listen)
{
	const int err = local_address_check(&listen->address);
	const bool off = err && local_address_is_off(&listen->address);
	char text[ADDRESS_TEXT_MAX];

	if (!err)
		return LISTEN_ADDRESS_HERE;
	address_format(&listen->address, text);
	if (off && !listen->is_default) {
		log_error("listen on %s: IPv6 is switched off on this host; expected an IPv4 "
			  "address, or IPv6 switched on",
			  text);
		return LISTEN_ADDRESS_OFF;
	}
	if (err == -EAFNOSUPPORT) {
		log_warning("not listening on %s: IPv6 is switched off on this host", text);
		return LISTEN_ADDRESS_NEVER;
	}
	log_warning("listen on %s: %s; clients are served as soon as the address is there", text,
		    off ? "IPv6 is switched off on this host" : "no interface has this address");
	return LISTEN_ADDRESS_AWAITED;
}

static int listen_open_as(const struct listen_config *listen_to, const struct tune *tune,
			  bool want_mptcp)
{
	const union address *address = &listen_to->address;
	const bool transparent = listen_to->transparent;
	const int on = 1;
	int fd = mptcp_socket(address->sa.sa_family, want_mptcp);
	int err = 0;

	if (fd < 0)
		return fd;
	socket_bound(fd, tune->receive_bytes, tune->unsent_bytes);
	if (transparent)
		err = socket_set_transparent(fd, address->sa.sa_family, true);
	if (!err && !transparent && local_address_check(address))
		err = socket_set_freebind(fd, address->sa.sa_family);
	if (err) {
		close(fd);
		return err;
	}
	if (listen_to->gate)
		socket_take_early(fd);
	/* V6ONLY: "[::]:1080" and "0.0.0.0:1080" are two listeners that may exist side by side. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ||
	    (address->sa.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
	    bind(fd, &address->sa, address_length(address)) || listen(fd, BACKLOG)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int listen_open(const struct listen_config *listen, const struct tune *tune)
{
	/* An MPTCP listener takes TCP clients as well, and gives them plain TCP sockets. */
	int fd = listen_open_as(listen, tune, !listen->metrics);

	/* Before 5.17 MPTCP sockets do not know IP_TRANSPARENT and IP_FREEBIND. */
	if (fd == -EOPNOTSUPP || fd == -ENOPROTOOPT)
		fd = listen_open_as(listen, tune, false);
	return fd;
}

static bool is_of_mptcp(int fd)
{
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == IPPROTO_MPTCP;
}

/* A socket unit may have chosen it; or the address was that of metrics before. */
static void tell_of_plain_tcp(int fd, const union address *address)
{
	const int ours = is_of_mptcp(fd) ? -1 : mptcp_socket(address->sa.sa_family, true);
	char text[ADDRESS_TEXT_MAX];

	if (is_of_mptcp(ours))
		log_info("%s takes no MPTCP: the socket that hawserd was started with is one of "
			 "plain TCP",
			 address_format(address, text));
	if (ours >= 0)
		close(ours);
}

int listen_adopt(int fd, const struct listen_config *listen, const struct tune *tune)
{
	if (!listen->metrics)
		tell_of_plain_tcp(fd, &listen->address);
	socket_bound(fd, tune->receive_bytes, tune->unsent_bytes);
	if (listen->gate)
		socket_take_early(fd);
	return socket_set_transparent(fd, listen->address.sa.sa_family, listen->transparent);
}

int listen_check_free(const struct listen_config *listen)
{
	const union address *address = &listen->address;
	const int on = 1;
	int fd = mptcp_socket(address->sa.sa_family, false);
	int err = 0;

	if (fd < 0)
		return fd;
	(void)socket_set_freebind(fd, address->sa.sa_family);
	if (listen->transparent)
		err = socket_set_transparent(fd, address->sa.sa_family, true);
	if (err) {
		close(fd);
		return err;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (address->sa.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
	    bind(fd, &address->sa, address_length(address)))
		err = -errno;
	close(fd);
	return err;
}

int listen_complain(const struct listen_config *listen, int err)
{
	char text[ADDRESS_TEXT_MAX];

	log_error("listen on %s: %s%s", address_format(&listen->address, text), strerror(-err),
		  listen->transparent && err == -EPERM
			  ? "; a transparent listener needs CAP_NET_ADMIN or CAP_NET_RAW"
			  : "");
	return err;
}
