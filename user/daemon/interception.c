/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps interception in force. The kernel's events say when to look; what has none is looked at
 * every second. What is wanted is in a file (intercept/wanted.h), so that `down` needs no hawserd,
 * and a hawserd that was killed is followed by one that knows. */
#include "daemon/interception.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/log_seldom.h"
#include "config/config.h"
#include "daemon/heartbeat.h"
#include "daemon/report_intercept.h"
#include "daemon/report_put.h"
#include "daemon/rule_events.h"
#include "intercept/apply.h"
#include "intercept/nft.h"
#include "intercept/obstacle.h"
#include "intercept/wanted.h"

#define LOOK_S 1.
/* After an event, so that a firewall is loaded anew as a whole; and while the CLI is at work. */
#define SOON_S	0.05
#define RETRY_S 2. /* after what could not be put back */
/* So many times as long as the last look at the firewall took, until the next: it may have any
 * number of rules, and others change them all the time. */
#define FIREWALL_SHARE 20

struct interception {
	struct ev_loop *loop;
	struct heartbeat *heartbeat;
	const struct links *links;
	const struct config *config;
	char *control;
	bool awaited; /* it comes when another hawserd lets go of it */
	struct rule_events watch;
	ev_timer look;
	ev_timer soon;
	struct intercept_events events; /* not yet looked into */
	bool bring_up;			/* the setting wants it, and no file says so yet */
	bool reconfigured;
	bool paused;
	char *wish;  /* the file's text; NULL: nothing is wanted of this hawserd */
	char *rules; /* those in force, by this method */
	enum intercept_method method;
	struct intercept_fault fault;
	double retry_s;
	double firewall_s; /* when it may be looked at again */
	uint64_t put_back;
	double put_back_s; /* when it was last */
	char last[INTERCEPT_TEXT_MAX];
	struct log_seldom told;
};

static void replace(char **text, char *with)
{
	free(*text);
	*text = with;
}

static bool is_broken(const struct interception *in)
{
	return *in->fault.seen;
}

/* What we have caused ourselves; rules of others may have changed meanwhile. */
static void forget_events(struct interception *in)
{
	rule_events_read(&in->watch, &in->events);
	in->events.table = in->events.lost = false;
}

static void note(struct interception *in, const struct intercept_fault *fault, const char *so)
{
	if (strcmp(in->fault.seen, fault->seen) != 0)
		log_warning("interception: %s%s%s%s", fault->seen, so,
			    *fault->mend ? "; fix: " : "", fault->mend);
	in->fault = *fault;
	in->retry_s = clock_monotonic_s() + RETRY_S;
}

/* New connections are routed from now on. */
static void fail(struct interception *in, const struct intercept_fault *fault)
{
	note(in, fault, "; the LAN is routed");
	heartbeat_pause(in->heartbeat, true);
	intercept_pause_tproxy(true);
	forget_events(in);
	in->events.route = false; /* it is tried again anyway */
}

static void forget(struct interception *in)
{
	replace(&in->wish, NULL);
	replace(&in->rules, NULL);
	/* Else it says why the setting cannot be brought up. */
	if (!in->bring_up)
		in->fault = (struct intercept_fault){0};
	heartbeat_pause(in->heartbeat, false);
}

/* And another hawserd does not look after it, either. */
static void end(struct interception *in)
{
	if (in->wish && in->method != INTERCEPT_REDIRECT)
		heartbeat_end_taken(in->heartbeat);
	forget(in);
}

static void succeed(struct interception *in, const struct intercept_plan *plan)
{
	in->fault = (struct intercept_fault){0};
	if (in->rules && in->method != INTERCEPT_REDIRECT && plan->method == INTERCEPT_REDIRECT)
		heartbeat_end_taken(in->heartbeat);
	replace(&in->rules, nft_rules_text(plan));
	in->method = plan->method;
	heartbeat_pause(in->heartbeat, false);
	forget_events(in);
}

static void put_in_force(struct interception *in, const struct intercept_plan *plan,
			 const char *missing)
{
	struct intercept_fault fault = {0};
	const bool again = is_broken(in);

	if (!intercept_apply(plan, &fault)) {
		fail(in, &fault);
		return;
	}
	succeed(in, plan);
	if (!*missing && *fault.seen)
		log_warning("interception: %s", fault.seen);
	if (again || !*missing) {
		log_info("interception: in force%s, %s", again ? " again" : "",
			 intercept_method_words[plan->method]);
		return;
	}
	in->put_back++;
	in->put_back_s = clock_monotonic_s();
	snprintf(in->last, sizeof(in->last), "%s", missing);
	if (log_seldom(&in->told))
		log_warning("interception: somebody deleted or changed %s; put back (%" PRIu64
			    " times by now)",
			    missing, in->put_back);
}

/* The rules of others are looked at if there is reason to, and not all the time. */
static bool is_obstructed(struct interception *in, const struct intercept_plan *plan,
			  struct intercept_fault *fault)
{
	const double start_s = clock_monotonic_s();
	const bool obstructed = intercept_is_obstructed(plan, fault);
	const double end_s = clock_monotonic_s();

	in->firewall_s = end_s + (end_s - start_s) * FIREWALL_SHARE;
	return obstructed;
}

/* Whether the settings make other rules than those in force. */
static bool has_changed(const struct interception *in, const struct intercept_plan *plan)
{
	char *rules = nft_rules_text(plan);
	const bool changed =
		!in->rules || !rules || plan->method != in->method || strcmp(rules, in->rules) != 0;

	free(rules);
	return changed;
}

static void keep(struct interception *in, struct intercept_plan *plan, struct json_object *settings,
		 bool fresh, const struct intercept_events *events)
{
	struct intercept_fault fault = {0};
	const bool broken = is_broken(in);
	/* A wish that the CLI leaves is in force already; one from before our start may not be. */
	const bool is_new = in->reconfigured && has_changed(in, plan);
	const bool too_soon = clock_monotonic_s() < in->firewall_s;
	const bool due = events->route || events->firewall || clock_monotonic_s() >= in->retry_s;
	bool lacks;

	if (intercept_bridge_spoils(plan, &fault)) {
		fail(in, &fault);
		return;
	}
	in->events.firewall = events->firewall && too_soon;
	if (broken && !fresh && !is_new && (too_soon || !due)) {
		in->events.route = events->route;
		return;
	}
	/* One that gets a default route later goes on, and doctor says so. */
	if (((broken || is_new) && intercept_lan_is_wan(plan, settings, &fault)) ||
	    ((broken || is_new || (events->firewall && !too_soon)) &&
	     is_obstructed(in, plan, &fault))) {
		fail(in, &fault);
		return;
	}
	in->reconfigured = false;
	lacks = intercept_lacks(plan, &fault);
	if (!lacks && events->table && !fresh) {
		lacks = true;
		if (!events->lost)
			intercept_blame(&fault,
					"the content of the nftables table " INTERCEPT_TABLE);
	}
	if (lacks || is_new || broken) {
		plan->in_force = !lacks && !broken;
		put_in_force(in, plan, lacks && !is_new && !fresh ? fault.seen : "");
		return;
	}
	if (fresh)
		succeed(in, plan);
	if (events->route)
		intercept_settle_rule(plan);
}

/* What the file says, if it is for this hawserd. */
static struct json_object *read_wish(const struct interception *in, const char *text)
{
	struct json_object *words = json_tokener_parse(text);

	if (strcmp(json_text(words, "control"), in->control) == 0)
		return words;
	json_object_put(words);
	return NULL;
}

/* Left by a hawserd that was killed, of a setting that is off now. */
static bool is_outdated(const struct interception *in, struct json_object *words)
{
	return json_object_get_boolean(json_member(words, "setting")) && !in->config->intercept.up;
}

static void take_wish(struct interception *in, const struct intercept_wanted *wanted,
		      const struct intercept_events *events)
{
	char *text = intercept_wanted_read(wanted);
	struct json_object *words = text ? read_wish(in, text) : NULL;
	const bool others = text && !words;
	struct json_object *settings;
	struct intercept_plan plan;
	struct intercept_fault fault = {0};
	bool fresh;

	if (words && is_outdated(in, words)) {
		intercept_wanted_remove(wanted);
		(void)intercept_withdraw(&fault);
		json_object_put(words);
		words = NULL;
	}
	if (!words) {
		free(text);
		if (others)
			forget(in);
		else
			end(in);
		return;
	}
	in->bring_up = false;
	fresh = !in->wish || strcmp(text, in->wish) != 0;
	replace(&in->wish, text);
	settings = report_intercept_settings(in->config, in->links, in->control);
	if (intercept_plan_make(&plan, settings, json_member(words, "lan"),
				json_object_get_string(json_member(words, "method")), &fault))
		keep(in, &plan, settings, fresh, events);
	else
		fail(in, &fault);
	json_object_put(settings);
	json_object_put(words);
}

/* Writes down what the setting wants. False when it is to be tried again. */
static bool bring_up(struct interception *in)
{
	struct json_object *settings =
		report_intercept_settings(in->config, in->links, in->control);
	struct intercept_wanted wanted = {.fd = -1};
	struct intercept_fault fault = {0};
	struct intercept_plan plan;
	int err = -EINVAL;

	if (intercept_plan_make(&plan, settings, NULL, NULL, &fault) &&
	    !intercept_lan_is_wan(&plan, settings, &fault)) {
		err = intercept_wanted_open(&wanted, RUN_FILE_TRY);
		if (!err)
			err = intercept_wanted_write(&wanted, in->control, NULL, NULL, true);
		if (err) {
			intercept_blame(&fault, "%s: %s", wanted.path, strerror(-err));
			intercept_wanted_remove_empty(&wanted);
		}
	}
	/* What is in force may be another hawserd's. Held by another: the CLI is at work. */
	if (err && err != -EWOULDBLOCK && !in->wish)
		note(in, &fault, "");
	else if (err && err != -EWOULDBLOCK)
		log_warning("interception: %s; what is in force stays", fault.seen);
	intercept_wanted_close(&wanted);
	json_object_put(settings);
	return err == 0;
}

static void look(struct interception *in)
{
	struct intercept_wanted wanted;
	struct intercept_events events;
	int err;

	if (in->bring_up && clock_monotonic_s() >= in->retry_s)
		in->bring_up = !bring_up(in);
	err = intercept_wanted_open(&wanted, RUN_FILE_FIND_TRY);
	if (err == -EWOULDBLOCK) {
		ev_timer_again(in->loop, &in->soon);
		return;
	}
	/* What came before we held the file is somebody's who held it, or older than the look. */
	rule_events_read(&in->watch, &in->events);
	events = in->events;
	in->events = (struct intercept_events){0};
	if (!err)
		take_wish(in, &wanted, &events);
	else if (in->wish)
		end(in);
	/* What the CLI brings up later is made of the settings as they are. */
	if (err)
		in->reconfigured = in->bring_up;
	intercept_wanted_close(&wanted);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct interception *in = timer->data;

	(void)events;
	if (timer == &in->soon)
		ev_timer_stop(loop, timer);
	look(in);
}

static void on_event(void *context)
{
	struct interception *in = context;
	/* For the next look. */
	const bool waits = is_broken(in) && (in->events.table || in->events.route);

	rule_events_read(&in->watch, &in->events);
	if (!waits && (in->events.table || in->events.route) && !ev_is_active(&in->soon))
		ev_timer_again(in->loop, &in->soon);
}

/* What the setting has brought up, unless another hawserd has it by now. */
static void take_down(struct interception *in)
{
	struct intercept_fault fault = {0};
	struct intercept_wanted wanted;
	char *text = NULL;

	if (in->wish && intercept_wanted_open(&wanted, RUN_FILE_FIND) == 0) {
		text = intercept_wanted_read(&wanted);
		if (text && strcmp(text, in->wish) == 0) {
			intercept_wanted_remove(&wanted);
			if (!intercept_withdraw(&fault))
				log_warning("interception: %s", fault.seen);
		}
		intercept_wanted_close(&wanted);
	}
	free(text);
	end(in);
}

struct interception *interception_open(struct ev_loop *loop, struct heartbeat *heartbeat,
				       const struct links *links, const char *control, bool awaited)
{
	struct interception *in = calloc(1, sizeof(*in));
	ev_timer *timer;

	if (!in)
		return NULL;
	in->loop = loop;
	in->watch = (struct rule_events){.loop = loop, .on_event = on_event, .context = in};
	in->heartbeat = heartbeat;
	in->links = links;
	in->control = control ? strdup(control) : NULL;
	in->awaited = awaited;
	timer = &in->look;
	ev_timer_init(timer, on_look, 0., LOOK_S);
	timer->data = in;
	timer = &in->soon;
	ev_timer_init(timer, on_look, 0., SOON_S);
	timer->data = in;
	return in;
}

void interception_has_control(struct interception *in, const char *control)
{
	free(in->control);
	in->control = strdup(control);
	in->config = NULL; /* it could not bring up what that wants */
}

void interception_configure(struct interception *in, const struct config *config)
{
	const bool was_up = in->config && in->config->intercept.up;

	in->bring_up = config->intercept.up && (!was_up || in->bring_up);
	if (was_up && !config->intercept.up)
		take_down(in);
	in->retry_s = 0;
	in->reconfigured = true;
	in->config = config;
	if (!in->control && !in->awaited && in->bring_up)
		log_error("interception: up = yes needs a control socket, and hawserd has none");
	if (!in->control || !(config_is_transparent(config) || in->bring_up || in->wish)) {
		interception_stop(in);
		return;
	}
	if (nft_probe() == -EPERM) {
		log_warning("interception: no CAP_NET_ADMIN: what others delete is not put back");
		if (in->bring_up)
			intercept_blame(&in->fault, "up = yes needs CAP_NET_ADMIN");
		interception_stop(in);
		return;
	}
	rule_events_start(&in->watch);
	ev_timer_again(in->loop, &in->look);
	look(in);
}

void interception_stop(struct interception *in)
{
	ev_timer_stop(in->loop, &in->look);
	ev_timer_stop(in->loop, &in->soon);
	rule_events_stop(&in->watch);
}

void interception_pause(struct interception *in, bool paused)
{
	if (in->paused == paused || !in->wish || in->method != INTERCEPT_TPROXY || is_broken(in))
		return;
	in->paused = paused;
	intercept_pause_tproxy(paused);
}

void interception_leave(struct interception *in)
{
	interception_stop(in);
	in->config = NULL;
}

void interception_close(struct interception *in)
{
	if (!in)
		return;
	interception_stop(in);
	interception_pause(in, false);
	if (in->config && in->config->intercept.up)
		take_down(in);
	free(in->wish);
	free(in->rules);
	free(in->control);
	free(in);
}

struct json_object *interception_report(const struct interception *in)
{
	struct json_object *object = json_object_new_object();

	put(object, "wanted", json_object_new_boolean(in && (in->wish || is_broken(in))));
	put_text(object, "fault", in ? in->fault.seen : "");
	put_text(object, "mend", in ? in->fault.mend : "");
	put(object, "routed", json_object_new_boolean(in && in->wish && is_broken(in)));
	put_count(object, "put_back", in ? in->put_back : 0);
	put_text(object, "last", in ? in->last : "");
	put_seconds(object, "last_age_s",
		    in && in->put_back ? clock_monotonic_s() - in->put_back_s : 0);
	return object;
}
