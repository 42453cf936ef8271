/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One listening socket of one worker: accepts, and pauses when there is nothing left to accept
 * with. */
#include "daemon/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "base/loop_clock.h"

/* Connections accepted per wake-up before running sessions get their turn. */
#define ACCEPT_BATCH 64

/* More than a backlog has is somebody who connects all the time. */
#define REST_MAX 4096

/* Clients wait in the backlog meanwhile; short enough not to be noticed when it was a burst. */
#define PAUSE_S 0.1

/* A pause is logged once, and again only when the last one is longer ago than this. */
#define PAUSE_LOG_S 60.

static void listener_pause(struct listener *listener, const char *why)
{
	struct session_env *env = listener->env;
	double now = loop_clock_s(env->relay.loop);

	env->stats.accept_pauses++;
	if (env->last_pause == 0. || now - env->last_pause > PAUSE_LOG_S)
		log_warning("accepting pauses: %s; the %llu sessions that there are continue", why,
			    (unsigned long long)env->stats.sessions_active);
	env->last_pause = now;
	ev_io_stop(env->relay.loop, &listener->io);
	ev_timer_again(env->relay.loop, &listener->pause);
}

static void listener_on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct listener *listener = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	ev_io_start(loop, &listener->io);
}

/* False when the batch is over. */
static bool listener_accept(struct listener *listener)
{
	struct session_env *env = listener->env;
	union address client = {0};
	socklen_t len = sizeof(client);
	int fd;

	if (!descriptors_take(DESCRIPTORS_SESSION, 1)) {
		listener_pause(listener, "as many sessions as the limit of open files allows");
		return false;
	}
	fd = accept4(listener->io.fd, &client.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		session_start(env, fd, &client, listener->config, &listener->handed_on);
		return true;
	}
	descriptors_give(DESCRIPTORS_SESSION, 1);
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		listener_pause(listener, strerror(errno));
		return false;
	default:
		/* The connection died in the backlog (accept(2) lists the errors): next. */
		env->stats.accept_errors++;
		return true;
	}
}

static void listener_on_connection(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++)
		if (!listener_accept(io->data))
			return;
}

void listener_start(struct listener *listener, struct session_env *env,
		    const struct listen_config *config, int fd)
{
	const struct socket_options options = config_socket_options(env->config);

	*listener = (struct listener){.env = env, .config = config};
	socket_options_set(fd, &options, SOCKET_OPTIONS_ALL);
	ev_io_init(&listener->io, listener_on_connection, fd, EV_READ);
	ev_timer_init(&listener->pause, listener_on_pause_over, 0., PAUSE_S);
	listener->io.data = listener;
	listener->pause.data = listener;
	ev_io_start(env->relay.loop, &listener->io);
}

void listener_accept_rest(struct listener *listener)
{
	for (int i = 0; i < REST_MAX && listener_accept(listener); i++)
		;
}

void listener_stop(struct listener *listener)
{
	ev_io_stop(listener->env->relay.loop, &listener->io);
	ev_timer_stop(listener->env->relay.loop, &listener->pause);
}
