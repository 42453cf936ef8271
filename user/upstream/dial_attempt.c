/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection of a dial: by which link, MPTCP or TCP, and what became of it. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop_clock.h"
#include "links/link_choice.h"
#include "net/mptcp_blackhole.h"
#include "net/socket.h"
#include "net/way.h"
#include "shared/recent_dials.h"
#include "upstream/auto_bypass.h"
#include "upstream/dial_private.h"
#include "upstream/own_listener.h"
#include "upstream/tcp_only.h"

/* By then the main thread has told the kernel to route around us, if it does. */
#define SAMPLE_AFTER_S 2.

#define PORT_TRIES_MAX 16

/* CAUSE_NONE if the connection may be used. */
static enum cause attempt_check(const struct dial_attempt *attempt, enum transport *transport)
{
	const struct dial *dial = attempt->dial;
	int err = socket_error(attempt->io.fd);

	if (err)
		return cause_from_errno(err);
	*transport = attempt->mptcp ? mptcp_transport(attempt->io.fd) : TRANSPORT_TCP;
	/* The kernel ends it without an error when its link is taken out meanwhile. */
	if (*transport != TRANSPORT_TCP && !socket_is_connected(attempt->io.fd))
		return CAUSE_NETWORK_UNREACHABLE;
	if (dial->request.env.config->mptcp == MPTCP_MODE_ON && !dial->request.plain &&
	    *transport != TRANSPORT_MPTCP)
		return CAUSE_NOT_MPTCP;
	return CAUSE_NONE;
}

/* A portal in the way refuses, too. */
static bool may_be_the_links_fault(const struct dial *dial, enum cause cause)
{
	return cause == CAUSE_NETWORK_UNREACHABLE || cause == CAUSE_HOST_UNREACHABLE ||
	       cause == CAUSE_CONNECT_TIMEOUT ||
	       (cause == CAUSE_REFUSED && dial->request.every_link);
}

void dial_attempt_failed(struct dial_attempt *attempt, enum cause cause)
{
	char text[ADDRESS_TEXT_MAX];

	log_debug("dial: %s: %s", address_format(&attempt->address, text), cause_info(cause)->text);
	dial_note(attempt->dial, cause);
	attempt->final = !may_be_the_links_fault(attempt->dial, cause);
	if (attempt->io.fd >= 0) {
		ev_io_stop(attempt->dial->request.env.loop, &attempt->io);
		close(attempt->io.fd);
		attempt->io.fd = -1;
	}
	dial_attempt_ended(attempt->dial);
}

/* What is this kernel's doing is not to be held against a destination. */
static bool attempt_is_ours(const struct dial_attempt *attempt)
{
	const struct dial *dial = attempt->dial;

	return !mptcp_tells_fallback() ||
	       mptcp_blackhole_likely(dial->request.env.mptcp_blackhole,
				      loop_clock_s(dial->request.env.loop));
}

/* The kernel may lose what arrives on a connection that fell back. One that listens for a single
 * connection (FTP data, nc -l) must keep it; services of well-known ports do not. */
static bool attempt_wants_anew(const struct dial_attempt *attempt, enum transport transport)
{
	const struct dial *dial = attempt->dial;

	return transport == TRANSPORT_FALLBACK &&
	       dial->request.env.config->mptcp == MPTCP_MODE_AUTO && dial->request.tcp_only &&
	       dial->source.sa.sa_family == AF_UNSPEC &&
	       address_port(&attempt->address) <
		       dial->request.env.config->relay.tune.redial_below_port &&
	       !attempt_is_ours(attempt);
}

/* Tells the memory what the connection became. One that was plain TCP by choice tells nothing. */
static void attempt_learn(const struct dial_attempt *attempt, enum transport transport)
{
	struct dial *dial = attempt->dial;
	const double now = loop_clock_s(dial->request.env.loop);

	if (attempt->anew || dial->request.env.config->mptcp != MPTCP_MODE_AUTO ||
	    !dial->request.tcp_only)
		return;
	if (transport == TRANSPORT_FALLBACK && attempt_is_ours(attempt))
		return;
	if (tcp_only_note(dial->request.tcp_only, &attempt->address, transport, now) &&
	    dial->request.env.config->intercept.auto_bypass)
		auto_bypass_note(dial->request.auto_bypass, &attempt->address,
				 transport == TRANSPORT_MPTCP);
}

/* A second path to this host is of no use, and a connection that fell back loses segments where the
 * sender is as near as that: both then wait for its timeouts. */
static bool attempt_stays_here(const struct dial_attempt *attempt)
{
	return route_is_own(attempt->dial->request.env.links->routes, &attempt->address) > 0;
}

static bool attempt_wants_mptcp(const struct dial_attempt *attempt)
{
	const struct dial *dial = attempt->dial;
	struct tcp_only_config rule = dial->request.env.config->tcp_only;

	if (dial->request.plain || attempt->anew)
		return false;
	/* What is known to have no MPTCP is routed around us by then, so this one is the one in
	 * many that comes through to find out. */
	if (dial->request.transparent && dial->request.env.config->intercept.auto_bypass)
		rule.sample_after_s = SAMPLE_AFTER_S;
	switch (dial->request.env.config->mptcp) {
	case MPTCP_MODE_ON:
		return true;
	case MPTCP_MODE_OFF:
		return false;
	default:
		return !dial->request.tcp_only ||
		       (!attempt_stays_here(attempt) &&
			!tcp_only_choose(dial->request.tcp_only, &attempt->address, &rule,
					 loop_clock_s(dial->request.env.loop)));
	}
}

static void attempt_on_writable(struct ev_loop *loop, ev_io *io, int events);

static int attempt_bind(int fd, const union address *source)
{
	return source->sa.sa_family == AF_UNSPEC ? -ENETUNREACH : socket_bind_source(fd, source);
}

/* 0 or -errno. Plain TCP may be bound to the interface, for when the rule for the address is not
 * there. */
static int attempt_bind_only(const struct dial_attempt *attempt, int fd)
{
	const struct link_choice *link = attempt->dial->request.only;

	(void)setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &link->device, sizeof(link->device));
	return attempt_bind(fd, &link->sources[address_family(&attempt->address)]);
}

/* 0, or -ENETUNREACH when there is no portal any more. */
static int attempt_go_to_portal(const struct dial_attempt *attempt, int fd)
{
	const struct dial_request *request = &attempt->dial->request;
	const struct link_choice *link =
		link_choices_portal(&request->env.links->choices, (int)request->portal_slot);

	return link ? attempt_bind(fd, &link->portal_sources[address_family(&attempt->address)])
		    : -ENETUNREACH;
}

/* Has the connection begin on a link of our choice, or on that of before: the rule for the address
 * leads it there. An MPTCP socket must not be bound to the interface, which the kernel would copy
 * to all subflows. 0, or -ENETUNREACH when no link may be used. */
static int attempt_choose_link(struct dial_attempt *attempt, int fd, const struct link_choice *link)
{
	const struct dial *dial = attempt->dial;
	struct affinity_asker asker;
	const union address *source;
	char text[ADDRESS_TEXT_MAX];
	/* Where the first attempt is slow the others are to find another link. */
	const bool sticks = !(dial->request.every_link && dial->attempt_count > 1) &&
			    dial_sticks(dial, &attempt->address, &asker);
	int err = link ? 0
		       : link_picker_choose(dial->request.env.links, &attempt->address,
					    sticks ? &asker : NULL, &link);

	if (!link)
		return err;
	source = &link->sources[address_family(&attempt->address)];
	/* An address that has just gone leaves the choice to the kernel. */
	if (socket_bind_source(fd, source) == 0) {
		attempt->slot = (int)link->slot;
		log_debug("dial: %s by link %s", address_format(&attempt->address, text),
			  link->name);
	}
	return 0;
}

/* 0, or a negative errno when it must not be made. */
static int attempt_judge(const struct dial_attempt *attempt)
{
	const struct dial *dial = attempt->dial;
	struct netlink *routes = dial->request.env.links->routes;
	int err = egress_check(&dial->request.egress, routes, dial->request.client,
			       &attempt->address);

	if (!err)
		err = own_listener_is_at(dial->request.env.config, routes, &attempt->address);
	return err > 0 ? -EACCES : err;
}

static void attempt_remember(struct dial_attempt *attempt, int fd)
{
	if (!attempt->dial->request.recent_dials)
		return;
	socket_local_address(fd, &attempt->from);
	recent_dials_add(attempt->dial->request.recent_dials, &attempt->from, &attempt->address,
			 clock_monotonic_s());
}

/* Which was chosen before connect(); else the kernel has tried all of them. */
static bool has_port(int fd)
{
	union address from = {0};

	socket_local_address(fd, &from);
	return address_port(&from) != 0;
}

/* A socket that connects, or -errno; -EADDRINUSE: another port may do. link NULL: whose turn it is.
 */
static int attempt_connect(struct dial_attempt *attempt, const struct link_choice *link)
{
	const struct dial *dial = attempt->dial;
	const struct tune *tune = &dial->request.env.config->relay.tune;
	const union address *to = &attempt->address;
	int err = 0;
	int fd;

	attempt->mptcp = attempt_wants_mptcp(attempt);
	fd = mptcp_socket(to->sa.sa_family, attempt->mptcp);
	if (fd < 0)
		return fd;
	socket_bound(fd, tune->receive_bytes, tune->unsent_bytes);
	/* With MPTCP an early answer gets lost. */
	if (dial->request.fast_open && mptcp_transport(fd) == TRANSPORT_TCP)
		socket_send_early(fd);
	if (dial->source.sa.sa_family == to->sa.sa_family)
		err = socket_bind_foreign(fd, &dial->source);
	else if (dial->request.by_portal)
		err = attempt_go_to_portal(attempt, fd);
	else if (dial->request.only)
		err = attempt_bind_only(attempt, fd);
	else
		err = attempt_choose_link(attempt, fd, link);
	if (!err && connect(fd, &to->sa, address_length(to)) && errno != EINPROGRESS)
		err = errno == EADDRNOTAVAIL && has_port(fd) ? -EADDRINUSE : -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int dial_attempt_start(struct dial_attempt *attempt, const struct link_choice *link)
{
	struct dial *dial = attempt->dial;
	int fd = attempt_judge(attempt);

	if (fd)
		return fd;
	/* Where ports are shared (net/socket.c), one that has led to this destination before is no
	 * good. */
	for (int tries = 0; tries < PORT_TRIES_MAX; tries++) {
		fd = attempt_connect(attempt, link);
		if (fd != -EADDRINUSE)
			break;
	}
	if (fd < 0)
		return fd;
	attempt_remember(attempt, fd);
	ev_io_init(&attempt->io, attempt_on_writable, fd, EV_WRITE);
	attempt->io.data = attempt;
	ev_io_start(dial->request.env.loop, &attempt->io);
	return 0;
}

/* 0 when under way. */
static int attempt_anew(struct dial_attempt *attempt)
{
	struct dial *dial = attempt->dial;

	ev_io_stop(dial->request.env.loop, &attempt->io);
	close(attempt->io.fd);
	attempt->io.fd = -1;
	attempt->anew = true;
	return dial_attempt_start(attempt, NULL);
}

static void attempt_on_writable(struct ev_loop *loop, ev_io *io, int events)
{
	struct dial_attempt *attempt = io->data;
	struct dial *dial = attempt->dial;
	enum transport transport = TRANSPORT_NONE;
	enum cause cause = attempt_check(attempt, &transport);
	int err;

	(void)loop;
	(void)events;
	if (cause == CAUSE_NONE) {
		attempt_learn(attempt, transport);
		if (!attempt_wants_anew(attempt, transport)) {
			dial_finish(dial, attempt, transport);
			return;
		}
		err = attempt_anew(attempt);
		if (err == 0)
			return;
		cause = cause_from_errno(-err);
	}
	dial_attempt_failed(attempt, cause);
	dial_next(dial);
}
