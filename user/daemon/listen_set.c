/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening sockets: one per address and worker. */
#include "daemon/listen_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/mptcp.h"
#include "net/socket.h"

#define BACKLOG 4096 /* the kernel caps it at net.core.somaxconn */

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

static int listen_open(const struct listen_config *listen, const struct tune *tune, size_t workers)
{
	const int off = 0;
	/* An MPTCP listener takes TCP clients as well, and gives them plain TCP sockets. */
	int fd = listen_open_as(listen, tune, true);

	/* Before 5.17 MPTCP sockets do not know IP_TRANSPARENT. */
	if (listen->transparent && (fd == -EOPNOTSUPP || fd == -ENOPROTOOPT))
		fd = listen_open_as(listen, tune, false);
	/* bpf_sk_assign() refuses sockets with it before 6.6. */
	if (fd >= 0 && listen->transparent && workers == 1)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &off, sizeof(off));
	return fd;
}

/* SO_REUSEPORT would let a second hawserd take half of the first one's clients unnoticed. A socket
 * without it is refused where anybody listens. 0 or -errno. */
static int listen_check_free(const union address *address)
{
	const int on = 1;
	int fd = mptcp_socket(address->sa.sa_family, false);
	int err = 0;

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (address->sa.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
	    bind(fd, &address->sa, address_length(address)))
		err = -errno;
	close(fd);
	return err;
}

/* The sockets of that address in old, or NULL. */
static int *listen_set_find(const struct listen_set *old, const union address *address)
{
	for (size_t i = 0; old && i < old->count; i++)
		if (address_same_ip(&old->addresses[i], address) &&
		    address_port(&old->addresses[i]) == address_port(address))
			return &old->fds[i * old->workers];
	return NULL;
}

static int listen_set_alloc(struct listen_set *set, size_t count, size_t workers)
{
	*set = (struct listen_set){.count = count, .workers = workers};
	set->addresses = calloc(count, sizeof(*set->addresses));
	set->fds = calloc(count * workers, sizeof(*set->fds));
	if (!set->addresses || !set->fds)
		return -ENOMEM;
	for (size_t i = 0; i < count * workers; i++)
		set->fds[i] = -1;
	return 0;
}

static int listen_complain(const struct listen_config *listen, int err)
{
	char text[ADDRESS_TEXT_MAX];

	log_error("listen on %s: %s%s", address_format(&listen->address, text), strerror(-err),
		  listen->transparent && err == -EPERM
			  ? "; a transparent listener needs CAP_NET_ADMIN or CAP_NET_RAW"
			  : "");
	return err;
}

/* A listener that is kept may become transparent. What it was is not put back on failure: until
 * something is sent its way by rules, it makes no difference. 0 or -errno. */
static int listen_set_convert(const struct listen_config *listen, const int *fds, size_t workers)
{
	for (size_t w = 0; listen->transparent && w < workers; w++) {
		int err = socket_set_transparent(fds[w], listen->address.sa.sa_family, true);

		if (err)
			return err;
	}
	return 0;
}

/* Opens what old does not have. */
static int listen_set_open_new(struct listen_set *set, const struct config *config,
			       const struct listen_set *old)
{
	for (size_t i = 0; i < set->count * set->workers; i++) {
		const struct listen_config *listen = &config->listen[i / set->workers];
		const int *kept = listen_set_find(old, &listen->address);
		const bool is_first = i % set->workers == 0;

		if (kept) {
			int err = is_first ? listen_set_convert(listen, kept, set->workers) : 0;

			if (err)
				return listen_complain(listen, err);
			continue;
		}
		set->fds[i] = is_first ? listen_check_free(&listen->address) : 0;
		if (set->fds[i] == 0)
			set->fds[i] = listen_open(listen, &config->relay.tune, set->workers);
		if (set->fds[i] < 0)
			return listen_complain(listen, set->fds[i]);
	}
	return 0;
}

int listen_set_open(struct listen_set *set, const struct config *config, size_t workers,
		    struct listen_set *old)
{
	int err = listen_set_alloc(set, config->listen_count, workers);

	for (size_t i = 0; !err && i < set->count; i++)
		set->addresses[i] = config->listen[i].address;
	if (!err)
		err = listen_set_open_new(set, config, old);
	if (err) {
		listen_set_close(set);
		return err;
	}
	for (size_t i = 0; i < set->count; i++) {
		int *kept = listen_set_find(old, &set->addresses[i]);

		for (size_t w = 0; kept && w < workers; w++) {
			set->fds[i * workers + w] = kept[w];
			kept[w] = -1;
			if (!config->listen[i].transparent)
				socket_set_transparent(set->fds[i * workers + w],
						       set->addresses[i].sa.sa_family, false);
		}
	}
	return 0;
}

void listen_set_close(struct listen_set *set)
{
	for (size_t i = 0; set->fds && i < set->count * set->workers; i++)
		if (set->fds[i] >= 0)
			close(set->fds[i]);
	free(set->addresses);
	free(set->fds);
	*set = (struct listen_set){0};
}
