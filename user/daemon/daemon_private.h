/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the daemon's life share: start, reload, drain. */
#ifndef HAWSER_DAEMON_DAEMON_PRIVATE_H
#define HAWSER_DAEMON_DAEMON_PRIVATE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "daemon/doctor_record.h"
#include "daemon/listen_set.h"
#include "daemon/report.h"

struct daemon {
	struct ev_loop *loop;
	const struct options *options;
	struct config *config;
	struct listen_set listening;
	struct listen_watch *listen_watch;
	struct sockmap *sockmap;
	struct packets *packets;
	struct packets_orphans *orphans;
	struct worker **workers;
	size_t worker_count;
	struct local *local;
	struct access_log *access_log;
	struct on_event *on_event;
	struct exit_tell *exit_tell;
	struct auth_penalty *penalty;
	struct recent_dials *recent_dials;
	struct affinity *affinity;
	struct portal_guests *guests;
	struct meeting *dialled;
	struct links *links;
	struct announced *announced;
	struct usage *usage;
	struct web *web;
	struct doctor_record doctor;
	struct speed *speed;
	struct control *control;
	ev_timer control_wait;
	struct heartbeat *heartbeat;
	struct exit_memory *exits;
	struct interception *interception;
	struct run_redirect *run;
	struct report_source report;
	ev_signal hangup;
	ev_signal terminate;
	ev_signal interrupt;
	ev_signal files;
	ev_timer minute;
	ev_timer drain;
	ev_tstamp drain_until;
	ev_signal successor;
	ev_timer let_go_soon;
	bool let_go; /* of control socket, links and interception */
	ev_timer watchdog;
};

/* Has all workers take the configuration, and listen or not. */
void daemon_configure_workers(struct daemon *daemon, bool listening);

/* Has metrics and the page be served as it says. */
void daemon_configure_web(struct daemon *daemon);

/* Has on_event take the configuration. */
void daemon_configure_on_event(struct daemon *daemon);

/* Gives a configuration what outlives a reload, as far as it is in both: accounts of tokens, and
 * what is known of exits. old is NULL at the start. 0, or -ENOMEM after logging. */
int reload_adopt(struct config *new, const struct config *old);

/* Takes the file as it is now. On failure all stays as it was. 0 or -errno. What is said of it is
 * in daemon->report.reload. */
int reload(struct daemon *daemon);

/* After drain_init(): begins, or if it has begun, ends at once. handed_over: another hawserd has
 * the same sockets, and rules still send the LAN's connections there. */
void drain_init(struct daemon *daemon);
void drain_begin(struct daemon *daemon, bool handed_over);
bool drain_has_begun(const struct daemon *daemon);

/* Opens the control socket, or waits until a hawserd that drains lets go of it. 0; or -errno, after
 * logging, when it was asked for and cannot be had. */
int control_take(struct daemon *daemon);
void control_release(struct daemon *daemon);

/* Another hawserd serves: drains, and lets go of what there is one of. After hand_over_init(). */
void hand_over_init(struct daemon *daemon);
void hand_over(struct daemon *daemon);

/* The same for one that drains, once the answer to who asks has left. False: it does not drain. */
bool hand_over_soon(struct daemon *daemon);

/* Tells the service manager that clients are served, and from now on that no thread hangs. */
void service_ready(struct daemon *daemon);

/* Ends daemon_run(). */
void daemon_stop(struct daemon *daemon);

#endif
