/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket is had at once, or when another hawserd lets go of it. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "daemon/control.h"
#include "daemon/daemon_private.h"
#include "daemon/interception.h"
#include "daemon/report_put.h"
#include "intercept/run_redirect.h"

/* How often to look whether it can be had. */
#define LOOK_S 0.25

/* One that drains answers at once, or is not to be waited for. */
#define ASK_TIMEOUT_S	 1
#define ASK_ANSWER_BYTES 65536

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

static struct json_object *on_control(void *context, const char *command,
				      struct json_object *request)
{
	struct daemon *daemon = context;

	/* These two change something. */
	if (strcmp(command, "run") == 0)
		return run_redirect_answer(daemon->run, request);
	if (strcmp(command, "reload") == 0)
		return answer_reload(daemon);
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

/* Reads a line into out, of which the caller has written nothing. False: there is none in time. */
static bool read_line(int fd, char *out, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		ssize_t n = recv(fd, out + len, size - 1 - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		out[len] = '\0';
		if (out[len - 1] == '\n')
			return true;
	}
	return false;
}

/* Whether the hawserd that answers there will be gone soon. */
static bool holder_drains(const char *path)
{
	static const char question[] = "{\"command\":\"status\"}\n";
	const struct timeval timeout = {.tv_sec = ASK_TIMEOUT_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[ASK_ANSWER_BYTES];
	struct json_object *status = NULL;
	bool drains;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) &&
	    !connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) > 0 &&
	    read_line(fd, answer, sizeof(answer)))
		status = json_tokener_parse(answer);
	drains = json_object_get_boolean(json_member(status, "draining"));
	json_object_put(status);
	if (fd >= 0)
		close(fd);
	return drains;
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *daemon = timer->data;
	const char *path = daemon->config->control;

	(void)events;
	daemon->control = control_open(loop, path, on_control, daemon);
	if (!daemon->control && errno == EADDRINUSE)
		return;
	if (daemon->control) {
		log_info("control socket %s: the other hawserd has released it", path);
		interception_has_control(daemon->interception, path);
		interception_configure(daemon->interception, daemon->config);
	} else {
		log_warning("control socket %s: %s", path, control_error_text(errno));
	}
	ev_timer_stop(loop, timer);
}

/* Without a control socket the daemon still proxies: only a path that was asked for must work. */
int control_take(struct daemon *daemon)
{
	const char *path = daemon->config->control;
	const bool is_default = daemon->config->control_is_default;
	ev_timer *wait = &daemon->control_wait;
	int err;

	ev_timer_init(wait, on_look, 0., LOOK_S);
	wait->data = daemon;
	daemon->control = control_open(daemon->loop, path, on_control, daemon);
	if (daemon->control)
		return 0;
	err = errno;
	if (err == EADDRINUSE && (is_default || holder_drains(path))) {
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
