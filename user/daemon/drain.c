/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Draining: no new sessions, and those that there are get some time to end. */
#include "base/log.h"
#include "base/loop_clock.h"
#include "base/notify.h"
#include "daemon/daemon_private.h"
#include "daemon/heartbeat.h"
#include "daemon/interception.h"
#include "daemon/listen_watch.h"
#include "daemon/worker.h"
#include "intercept/run_redirect.h"
#include "links/left_behind.h"
#include "speed/speed.h"
#include "web/web.h"

/* What rules have sent to a listener before they were told to send no more gets there meanwhile: by
 * the third packet of a LAN's handshake. */
#define SETTLE_S 0.2
/* While draining, how often to look whether the last session has ended. */
#define DRAIN_POLL_S 0.1
/* How long who has connected to ask for metrics may take for it. */
#define DRAIN_ASKED_S 5.

void daemon_stop(struct daemon *daemon)
{
	ev_break(daemon->loop, EVBREAK_ALL);
}

/* What comes late, at an upgrade, is refused by nobody. */
static bool is_asked(const struct daemon *daemon)
{
	const double began_s = daemon->drain_until - daemon->config->timeouts.drain_s;

	return web_is_asked(daemon->web) && loop_clock_s(daemon->loop) < began_s + DRAIN_ASKED_S;
}

/* Links and rules are taken back by the last that uses them. */
static bool is_needed(const struct daemon *daemon)
{
	return !daemon->let_go && left_behind_others();
}

/* Of a socket that ends with us, whoever waits in the backlog would be reset. */
static bool settles(const struct daemon *daemon, bool handed_over)
{
	return config_is_transparent(daemon->config) && !handed_over && !notify_is_heard();
}

static void stop_accepting(struct daemon *daemon)
{
	daemon_configure_workers(daemon, false);
	for (size_t w = 0; w < daemon->worker_count; w++)
		worker_drain(daemon->workers[w]);
	listen_watch_follow(daemon->listen_watch, NULL);
	web_drain(daemon->web);
	listen_set_close(&daemon->listening);
	/* These rules see by themselves that nobody listens, and when somebody does again. */
	interception_pause(daemon->interception, false);
	log_info("draining for up to %g s; another SIGTERM stops at once",
		 daemon->config->timeouts.drain_s);
}

static void on_drain_poll(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *daemon = timer->data;
	uint64_t active = 0;

	(void)events;
	if (daemon->listening.count > 0)
		stop_accepting(daemon);
	for (size_t w = 0; w < daemon->worker_count; w++) {
		struct stats stats;

		worker_get_stats(daemon->workers[w], &stats);
		active += stats.sessions_active;
	}
	if ((active > 0 || is_asked(daemon) || is_needed(daemon)) &&
	    loop_clock_s(loop) < daemon->drain_until)
		return;
	if (active > 0)
		log_warning("drain time is over: %llu sessions are reset",
			    (unsigned long long)active);
	daemon_stop(daemon);
}

bool drain_has_begun(const struct daemon *daemon)
{
	return ev_is_active(&daemon->drain);
}

void drain_init(struct daemon *daemon)
{
	ev_timer_init(&daemon->drain, on_drain_poll, 0., DRAIN_POLL_S);
	daemon->drain.data = daemon;
}

void drain_begin(struct daemon *daemon, bool handed_over)
{
	const bool settling = settles(daemon, handed_over);

	if (drain_has_begun(daemon)) {
		daemon_stop(daemon);
		return;
	}
	notify_send("STOPPING=1", NULL, 0);
	interception_stop(daemon->interception);
	daemon->report.draining = true;
	(void)speed_stop(daemon->speed, 0, "hawserd stops");
	/* The other one beats already. */
	if (handed_over)
		heartbeat_leave(daemon->heartbeat);
	else
		heartbeat_stop(daemon->heartbeat);
	if (settling)
		interception_pause(daemon->interception, true);
	if (settling || handed_over)
		worker_admit_held(daemon->workers[0]);
	run_redirect_listen(daemon->run, NULL);
	daemon->drain_until = loop_clock_s(daemon->loop) + daemon->config->timeouts.drain_s;
	if (settling) {
		ev_timer_set(&daemon->drain, SETTLE_S, DRAIN_POLL_S);
		ev_timer_start(daemon->loop, &daemon->drain);
	} else {
		ev_timer_again(daemon->loop, &daemon->drain);
		on_drain_poll(daemon->loop, &daemon->drain, 0);
	}
}
