/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request by TCP and what is answered, by a link. */
#include "links/link_exchange.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "links/link_connect.h"
#include "net/socket.h"

struct link_exchange {
	struct ev_loop *loop;
	link_exchange_fn *take;
	void *context;
	ev_io io;
	ev_timer deadline;
	size_t request_len; /* 0: it has left */
	size_t len;
	uint8_t bytes[LINK_EXCHANGE_MAX]; /* the request, then the answer */
};

void link_exchange_cancel(struct link_exchange *exchange)
{
	if (!exchange)
		return;
	ev_io_stop(exchange->loop, &exchange->io);
	ev_timer_stop(exchange->loop, &exchange->deadline);
	close(exchange->io.fd);
	free(exchange);
}

static void tell(struct link_exchange *exchange, bool end)
{
	link_exchange_fn *take = exchange->take;

	end = end || exchange->len == sizeof(exchange->bytes);
	if (take(exchange->context, exchange->bytes, exchange->len, end) || end)
		link_exchange_cancel(exchange);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	tell(timer->data, true);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct link_exchange *exchange = io->data;
	const ssize_t n = recv(io->fd, exchange->bytes + exchange->len,
			       sizeof(exchange->bytes) - exchange->len, MSG_DONTWAIT);

	(void)loop;
	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		exchange->len += (size_t)n;
	tell(exchange, n <= 0);
}

/* A request is short enough to leave in one piece. */
static void on_connected(struct ev_loop *loop, ev_io *io, int events)
{
	struct link_exchange *exchange = io->data;
	const size_t len = exchange->request_len;
	const bool failed = socket_error(io->fd) ||
			    send(io->fd, exchange->bytes, len, MSG_NOSIGNAL) != (ssize_t)len;

	(void)events;
	exchange->request_len = 0;
	ev_io_stop(loop, io);
	if (failed) {
		tell(exchange, true);
		return;
	}
	ev_io_init(io, on_readable, io->fd, EV_READ);
	ev_io_start(loop, io);
}

struct link_exchange *link_exchange_start(struct ev_loop *loop,
					  const struct link_exchange_plan *plan,
					  link_exchange_fn *take, void *context)
{
	struct link_exchange *exchange = calloc(1, sizeof(*exchange));
	const int fd = exchange ? link_connect(plan->device, plan->from, plan->to) : -1;

	if (fd < 0) {
		free(exchange);
		return NULL;
	}
	exchange->loop = loop;
	exchange->take = take;
	exchange->context = context;
	exchange->request_len = plan->len;
	memcpy(exchange->bytes, plan->request, plan->len);
	ev_io_init(&exchange->io, on_connected, fd, EV_WRITE);
	exchange->io.data = exchange;
	ev_io_start(loop, &exchange->io);
	ev_timer_init(&exchange->deadline, on_deadline, plan->deadline_s, 0.);
	exchange->deadline.data = exchange;
	ev_timer_start(loop, &exchange->deadline);
	return exchange;
}
