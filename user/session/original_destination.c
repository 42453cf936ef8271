/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a client wanted to go whose connection was taken on its way. TPROXY leaves the destination
 * where it was: it is the accepted socket's own address. REDIRECT replaces it, and conntrack knows
 * what it was. */
#include "session/original_destination.h"

#include <errno.h>
#include <linux/netfilter_ipv4.h>

#include "net/socket.h"
#include "upstream/own_listener.h"

/* Whether conntrack knows it; -errno if not. */
static int ask_conntrack(int fd, int family, union address *out)
{
	const int level = family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
	socklen_t len = sizeof(*out);

	*out = (union address){0};
	/* IP6T_SO_ORIGINAL_DST is the same number, in a header that netinet/in.h does not like. */
	return getsockopt(fd, level, SO_ORIGINAL_DST, out, &len) ? -errno : 0;
}

int original_address(int fd, union address *out)
{
	union address local;
	int err;

	socket_local_address(fd, &local);
	err = ask_conntrack(fd, local.sa.sa_family, out);
	if (err)
		*out = local;
	return err;
}

enum cause original_destination(int fd, const struct config *config, struct netlink *routes,
				union address *out)
{
	const int err = original_address(fd, out);

	if (own_listener_is_at(config, routes, out) == 0)
		return CAUSE_NONE;
	/* An MPTCP socket refuses the question (run on 6.18), so it cannot tell a client that came
	 * by REDIRECT from one that dialled us. */
	return err == -EOPNOTSUPP || err == -ENOPROTOOPT ? CAUSE_NO_ORIGINAL : CAUSE_NOT_ALLOWED;
}
