/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/listen_watch.h"

#include <errno.h>
#include <ev.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "config/config.h"
#include "net/local_address.h"

struct listen_watch {
	struct ev_loop *loop;
	struct mnl_socket *monitor;
	ev_io events;
	struct watched {
		union address address;
		bool here;
	} * list;
	size_t count;
};

static void look(struct watched *watched)
{
	const bool here = local_address_check(&watched->address) == 0;
	char text[ADDRESS_TEXT_MAX];

	if (here == watched->here)
		return;
	watched->here = here;
	address_format(&watched->address, text);
	if (here)
		log_info("listening on %s: the address is there now", text);
	else
		log_warning("listening on %s: the address has gone; clients are served again when "
			    "it is back",
			    text);
}

/* What the events say does not matter, nor that some were lost. */
static void on_events(struct ev_loop *loop, ev_io *io, int events)
{
	struct listen_watch *watch = io->data;
	char buffer[4096];

	(void)loop;
	(void)events;
	while (recv(io->fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		errno = 0;
	for (size_t i = 0; i < watch->count; i++)
		look(&watch->list[i]);
}

static int subscribe(struct mnl_socket *monitor)
{
	static const int groups[] = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};

	if (mnl_socket_bind(monitor, 0, MNL_SOCKET_AUTOPID))
		return -errno;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(monitor, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
			return -errno;
	}
	return 0;
}

struct listen_watch *listen_watch_open(struct ev_loop *loop)
{
	struct listen_watch *watch = calloc(1, sizeof(*watch));
	ev_io *io;

	if (!watch)
		return NULL;
	watch->loop = loop;
	watch->monitor = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!watch->monitor || subscribe(watch->monitor)) {
		log_warning("cannot watch the addresses of this host: %s; those that come and go "
			    "are not "
			    "logged",
			    strerror(errno));
		return watch;
	}
	io = &watch->events;
	ev_io_init(io, on_events, mnl_socket_get_fd(watch->monitor), EV_READ);
	io->data = watch;
	ev_io_start(loop, io);
	return watch;
}

void listen_watch_follow(struct listen_watch *watch, const struct config *config)
{
	free(watch->list);
	watch->list = config ? calloc(config->listen_count, sizeof(*watch->list)) : NULL;
	watch->count = watch->list ? config->listen_count : 0;
	for (size_t i = 0; i < watch->count; i++) {
		watch->list[i].address = config->listen[i].address;
		watch->list[i].here = local_address_check(&config->listen[i].address) == 0;
	}
}

void listen_watch_close(struct listen_watch *watch)
{
	if (!watch)
		return;
	if (watch->monitor) {
		ev_io_stop(watch->loop, &watch->events);
		mnl_socket_close(watch->monitor);
	}
	free(watch->list);
	free(watch);
}
