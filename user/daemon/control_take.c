/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket is had at once, or when another hawserd lets go of it. */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/control_ask.h"
#include "base/json.h"
#include "base/log.h"
#include "daemon/control.h"
#include "daemon/daemon_private.h"
#include "daemon/interception.h"
#include "daemon/keeper.h"
#include "daemon/report_put.h"
#include "daemon/report_sessions.h"
#include "daemon/report_speed.h"
#include "daemon/worker.h"
#include "intercept/run_redirect.h"

/* How often to look whether it can be had: soon, as a successor waits for it, and then less. */
#define LOOK_S	   0.02
#define LOOK_MAX_S 0.5
/* How long one that drains may take to let go of it. */
#define LET_GO_TRIES   50
#define LET_GO_EACH_MS 10

static struct json_object *answer_reload(struct daemon *daemon)
{
	struct json_object *answer;

	if (reload(daemon))
		return json_error(daemon->report.reload.said);
	answer = json_object_new_object();
	put(answer, "reloaded", json_object_new_boolean(true));
	put_text(answer, "file", daemon->report.file ? daemon->report.file : "");
	put_text(answer, "said", daemon->report.reload.said);
	return answer;
}

static struct json_object *answer_kill(const struct daemon *daemon, struct json_object *request)
{
	struct json_object *answer;
	uint64_t id;

	if (!report_session_id(request, &id))
		return json_error("no \"id\"; expected {\"command\":\"kill\",\"id\":1}");
	for (size_t i = 0; i < daemon->report.worker_count; i++) {
		if (!worker_kill_session(daemon->report.workers[i], id))
			continue;
		answer = json_object_new_object();
		put_count(answer, "killed", id);
		return answer;
	}
	return json_error("no such session");
}

static struct json_object *answer_upgrade(const struct daemon *daemon)
{
	struct json_object *answer;

	if (drain_has_begun(daemon))
		return json_error("this hawserd drains");
	if (!keeper_ask_upgrade())
		return json_error("hawserd was started without --keeper: restart it");
	answer = json_object_new_object();
	put_count(answer, "keeper", (uint64_t)getppid());
	return answer;
}

static struct json_object *on_control(void *context, const char *command,
				      struct json_object *request)
{
	struct daemon *daemon = context;

	/* These change something. */
	if (strcmp(command, "run") == 0)
		return run_redirect_answer(daemon->run, request);
	if (strcmp(command, "reload") == 0)
		return answer_reload(daemon);
	if (strcmp(command, "kill") == 0)
		return answer_kill(daemon, request);
	if (strcmp(command, "let-go") == 0)
		return hand_over_soon(daemon) ? json_object_new_object()
					      : json_error("this hawserd serves");
	if (strcmp(command, "doctor-tell") == 0)
		return doctor_record_take(&daemon->doctor, request);
	if (strcmp(command, "upgrade") == 0)
		return answer_upgrade(daemon);
	if (strcmp(command, "speedtest-start") == 0)
		return drain_has_begun(daemon) ? json_error("this hawserd drains")
					       : answer_speed_start(daemon->speed, daemon->config,
								    daemon->links, request);
	if (strcmp(command, "speedtest-stop") == 0)
		return answer_speed_stop(daemon->speed, request);
	return report_answer(&daemon->report, command, request);
}

static const char *control_error_text(int err)
{
	switch (err) {
	case EADDRINUSE:
		return "another hawserd answers there; --control chooses another";
	case EPERM:
		return "its directory belongs to somebody else; --control chooses another";
	case EACCES:
		return "others may write to its directory, or it is closed to hawserd; --control "
		       "chooses another";
	default:
		return strerror(err);
	}
}

/* Whether the hawserd that answers there will be gone soon. */
static bool holder_drains(const char *path)
{
	struct json_object *status = control_ask(path, "{\"command\":\"status\"}\n");
	const bool drains = json_object_get_boolean(json_member(status, "draining"));

	json_object_put(status);
	return drains;
}

/* One that serves refuses. */
static void ask_to_let_go(const char *path)
{
	json_object_put(control_ask(path, "{\"command\":\"let-go\"}\n"));
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *daemon = timer->data;
	const char *path = daemon->config->control;

	(void)events;
	daemon->control = control_open(loop, path, on_control, daemon);
	if (!daemon->control && errno == EADDRINUSE) {
		ask_to_let_go(path);
		timer->repeat = fmin(2 * timer->repeat, LOOK_MAX_S);
		ev_timer_again(loop, timer);
		return;
	}
	if (daemon->control) {
		log_info("control socket %s: the other hawserd has released it", path);
		interception_has_control(daemon->interception, path);
		interception_configure(daemon->interception, daemon->config);
	} else {
		log_warning("control socket %s: %s", path, control_error_text(errno));
	}
	ev_timer_stop(loop, timer);
}

/* Before this one is said to be ready, so that who asks then asks this one. */
static void take_from_one_that_drains(struct daemon *daemon, const char *path)
{
	ask_to_let_go(path);
	for (int i = 0; i < LET_GO_TRIES && !daemon->control; i++) {
		usleep(LET_GO_EACH_MS * 1000);
		daemon->control = control_open(daemon->loop, path, on_control, daemon);
	}
}

/* Without a control socket the daemon still proxies: only a path that was asked for must work. */
int control_take(struct daemon *daemon)
{
	const char *path = daemon->config->control;
	const bool is_default = daemon->config->control_is_default;
	ev_timer *wait = &daemon->control_wait;
	bool drains;
	int err;

	ev_timer_init(wait, on_look, 0., LOOK_S);
	wait->data = daemon;
	daemon->control = control_open(daemon->loop, path, on_control, daemon);
	if (daemon->control)
		return 0;
	err = errno;
	drains = err == EADDRINUSE && holder_drains(path);
	if (drains)
		take_from_one_that_drains(daemon, path);
	if (daemon->control)
		return 0;
	if (err == EADDRINUSE && (is_default || keeper_is_behind() || drains)) {
		log_warning("control socket %s: another hawserd answers there; this one takes it "
			    "over when the other releases it",
			    path);
		ev_timer_again(daemon->loop, wait);
		return 0;
	}
	log_write(is_default ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "control socket %s: %s", path,
		  control_error_text(err));
	return is_default ? 0 : -err;
}

void control_release(struct daemon *daemon)
{
	if (daemon->loop)
		ev_timer_stop(daemon->loop, &daemon->control_wait);
	control_close(daemon->control);
}
