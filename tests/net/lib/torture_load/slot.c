/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As many sessions at a time as there are slots, one after the other until the time is up. Each
 * slot has a listener of its own: that says to whom a connection of hawserd belongs. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* A session in which nothing moves for so long has been forgotten. */
#define STUCK_NS     (60 * NS_PER_S)
#define FAILURES_MAX 10
#define BACKLOG	     64
#define EVENTS	     256

struct slot {
	struct watch watch; /* of the listener */
	struct session session;
	int listener;
	bool server_mptcp;
	in_port_t port;
};

static struct slot *slots;
static in_port_t refusing[2], leaving[2]; /* in network order, as all ports here */
int epoll_fd;

static int open_socket(bool mptcp)
{
	int fd = socket(settings.server.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			mptcp ? IPPROTO_MPTCP : IPPROTO_TCP);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	return fd;
}

/* On a free port of the server. backlog 0: bound only, so that connections are refused. */
static int bind_server(bool mptcp, int backlog, in_port_t *port)
{
	union place address = settings.server;
	socklen_t len = sizeof(address);
	int fd = open_socket(mptcp);

	if (bind(fd, &address.sa, len) || (backlog && listen(fd, backlog)) ||
	    getsockname(fd, &address.sa, &len))
		die("listen: %s", strerror(errno));
	*port = address.v4.sin_port;
	return fd;
}

static void write_greeting(unsigned char greeting[static GREETING_MAX], in_port_t port)
{
	const union place *server = &settings.server;
	const bool v6 = server->sa.sa_family == AF_INET6;
	const unsigned char start[] = {5, 1, 0, 5, 1, 0, v6 ? 4 : 1};

	memcpy(greeting, start, sizeof(start));
	if (v6)
		memcpy(greeting + sizeof(start), &server->v6.sin6_addr, 16);
	else
		memcpy(greeting + sizeof(start), &server->v4.sin_addr, 4);
	memcpy(greeting + greeting_bytes() - 2, &port, 2);
}

static void slot_begin(struct slot *slot)
{
	static uint64_t number;
	struct session *session = &slot->session;
	const union place *proxy = &settings.proxies[slot->server_mptcp];
	in_port_t port = slot->port;
	uint64_t now = now_ns();
	int fd;

	*session = (struct session){.running = true, .progress_ns = now};
	plan_draw(&session->plan, settings.seed, settings.only == NEVER ? number : settings.only,
		  settings.mptcp, slot->server_mptcp);
	session->dice = dice_new(settings.seed, ~number++);
	if (session->plan.kind == PLAN_REFUSED)
		port = refusing[slot->server_mptcp];
	if (session->plan.kind == PLAN_LEAVE)
		port = leaving[slot->server_mptcp];
	write_greeting(session->greeting, port);
	session->ends[SIDE_CLIENT].fd = -1;
	session->ends[SIDE_SERVER] =
		(struct end){.session = session, .side = SIDE_SERVER, .fd = -1};
	session->ends[SIDE_SERVER].over = port != slot->port;
	session->ends[SIDE_SERVER].wake_ns = NEVER;
	fd = open_socket(session->plan.client_mptcp);
	end_begin(&session->ends[SIDE_CLIENT], session, SIDE_CLIENT, fd, true);
	if (connect(fd, &proxy->sa, sizeof(*proxy)) && errno != EINPROGRESS)
		session_fail(session, "client: connect: %s", strerror(errno));
	end_run(&session->ends[SIDE_CLIENT], now);
}

static void slot_ready(void *owner)
{
	struct slot *slot = owner;
	struct session *session = &slot->session;
	int fd = accept4(slot->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (!session->running || session->failed || session->ends[SIDE_SERVER].over ||
	    session->ends[SIDE_SERVER].fd >= 0) {
		/* What a failed session began may arrive late. */
		if (totals.failures == 0)
			session_fail(NULL, "server: a connection that nobody asked for");
		close(fd);
		return;
	}
	session->progress_ns = now_ns();
	end_begin(&session->ends[SIDE_SERVER], session, SIDE_SERVER, fd, false);
	end_run(&session->ends[SIDE_SERVER], session->progress_ns);
}

/* What had been acknowledged before a reset must have been delivered: it is the promise of hawserd
 * that a reset throws nothing away. Not so in the sockmap, where the kernel may drop what it has
 * passed to a socket that is reset (see docs/kernel-notes.md). */
static void session_judge(struct session *session)
{
	const struct plan *plan = &session->plan;
	const struct end *resetter = &session->ends[plan->resetter];
	const struct end *other = &session->ends[!plan->resetter];

	if (settings.sockmap && !plan->client_mptcp && !plan->server_mptcp)
		return;
	if (plan->kind == PLAN_RESET && session->reset_made &&
	    other->received < resetter->acknowledged)
		session_fail(session,
			     "%" PRIu64 " bytes received, but %" PRIu64
			     " acknowledged before the reset",
			     other->received, resetter->acknowledged);
}

static void slot_end(struct slot *slot)
{
	struct session *session = &slot->session;

	if (!session->failed)
		session_judge(session);
	for (int side = 0; side < SIDE_COUNT; side++)
		end_close(&session->ends[side]);
	totals.kinds[session->plan.kind]++;
	totals.pairs[session->plan.client_mptcp][session->plan.server_mptcp]++;
	if (session->plan.kind == PLAN_ORDERLY)
		totals.exchanges += session->plan.exchanges;
	plan_free(&session->plan);
	session->running = false;
}

/* Does what is due, and begins sessions where there is room. Returns when the next thing is due. */
static uint64_t slots_look(uint64_t now, bool more)
{
	uint64_t next = now + NS_PER_S;

	for (size_t i = 0; i < settings.sessions; i++) {
		struct session *session = &slots[i].session;

		if (!session->running) {
			if (!more)
				continue;
			slot_begin(&slots[i]);
		}
		for (int side = 0; side < SIDE_COUNT; side++) {
			struct end *end = &session->ends[side];

			if (!end->over && end->wake_ns <= now)
				end_run(end, now);
			if (!end->over && end->wake_ns < next)
				next = end->wake_ns;
		}
		if (!session->failed && now > session->progress_ns + STUCK_NS)
			session_fail(session, "nothing moves");
		if (session->failed ||
		    (session->ends[SIDE_CLIENT].over && session->ends[SIDE_SERVER].over)) {
			slot_end(&slots[i]);
			next = now;
		}
	}
	return next;
}

static bool anything_left(void)
{
	for (size_t i = 0; i < settings.sessions; i++)
		if (slots[i].session.running)
			return true;
	return stray_count() > 0;
}

void slots_serve(void)
{
	struct epoll_event events[EVENTS];
	uint64_t end = settings.started_ns + settings.seconds * NS_PER_S;
	bool more = true;

	while (totals.failures < FAILURES_MAX && (more || anything_left())) {
		uint64_t now = now_ns();
		uint64_t next;
		struct timespec wait = {0};
		int n;

		more = now < end && totals.failures == 0;
		if (now > end + 2 * STUCK_NS + settings.seconds * NS_PER_S)
			die("not done long after the end");
		next = slots_look(now, more);
		wait.tv_nsec = next > now ? (long)((next - now) % NS_PER_S) : 0;
		wait.tv_sec = next > now ? (time_t)((next - now) / NS_PER_S) : 0;
		n = epoll_pwait2(epoll_fd, events, EVENTS, &wait, NULL);
		for (int i = 0; i < n; i++) {
			struct watch *watch = events[i].data.ptr;

			watch->ready(watch->owner);
		}
	}
}

void slots_listen(void)
{
	slots = calloc(settings.sessions, sizeof(*slots));
	if (!slots)
		die("no memory");
	for (size_t i = 0; i < settings.sessions; i++) {
		struct slot *slot = &slots[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &slot->watch};

		slot->watch = (struct watch){slot_ready, slot};
		slot->server_mptcp = settings.mptcp && i % 2;
		slot->listener = bind_server(slot->server_mptcp, BACKLOG, &slot->port);
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, slot->listener, &event))
			die("epoll: %s", strerror(errno));
	}
	for (int mptcp = 0; mptcp <= settings.mptcp; mptcp++) {
		bind_server(mptcp, 0, &refusing[mptcp]);
		stray_listen(bind_server(mptcp, BACKLOG, &leaving[mptcp]));
	}
}
