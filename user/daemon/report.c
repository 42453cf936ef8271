/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the workers, adds up, builds JSON. */
#include "daemon/report.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/local.h"
#include "accel/sockmap.h"
#include "access_log/access_log.h"
#include "base/clock.h"
#include "base/control_socket.h"
#include "base/json.h"
#include "config/config.h"
#include "daemon/interception.h"
#include "daemon/report_exits.h"
#include "daemon/report_intercept.h"
#include "daemon/report_links.h"
#include "daemon/report_put.h"
#include "daemon/report_usage.h"
#include "daemon/worker.h"
#include "hooks/hooks.h"
#include "links/links.h"
#include "net/kernel.h"
#include "net/kernel_version.h"
#include "net/local_address.h"
#include "session/stats.h"

static struct json_object *report_feature(const struct feature_state *state)
{
	struct json_object *entry = json_object_new_object();

	put_text(entry, "feature", state->name);
	put(entry, "available", json_object_new_boolean(state->available));
	put_text(entry, "reason", state->reason);
	return entry;
}

static struct json_object *report_kernel(const struct sockmap *sockmap)
{
	struct json_object *list = json_object_new_array();

	for (enum feature feature = 0; feature < FEATURE_COUNT; feature++)
		append(list, report_feature(kernel_feature(feature)));
	for (enum sockmap_feature feature = 0; feature < SOCKMAP_FEATURE_COUNT; feature++)
		append(list, report_feature(sockmap_feature(sockmap, feature)));
	return list;
}

static struct json_object *report_listeners(const struct config *config)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < config->listen_count; i++) {
		const struct listen_config *listen = &config->listen[i];
		struct json_object *entry = json_object_new_object();
		char address[ADDRESS_TEXT_MAX];
		char to[DESTINATION_TEXT_MAX];

		put_text(entry, "address", address_format(&listen->address, address));
		put_text(entry, "kind", config_listen_kind(listen));
		if (listen->forward)
			put_text(entry, "to", destination_format(&listen->to, to));
		put(entry, "waiting",
		    json_object_new_boolean(local_address_check(&listen->address) != 0));
		append(list, entry);
	}
	return list;
}

static struct json_object *report_protocols(const uint64_t *counts)
{
	struct json_object *object = json_object_new_object();

	for (enum protocol protocol = PROTOCOL_NONE + 1; protocol < PROTOCOL_COUNT; protocol++)
		put_count(object, protocol_name(protocol), counts[protocol]);
	return object;
}

static struct json_object *report_transports(const uint64_t *counts)
{
	struct json_object *object = json_object_new_object();

	for (enum transport transport = TRANSPORT_NONE + 1; transport < TRANSPORT_COUNT;
	     transport++)
		put_count(object, transport_name(transport), counts[transport]);
	return object;
}

static struct json_object *report_errors(const uint64_t *counts)
{
	struct json_object *object = json_object_new_object();

	for (enum cause cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
		put_count(object, cause_info(cause)->name, counts[cause]);
	return object;
}

static struct json_object *report_tcp_only(const struct tcp_only_counts *counts)
{
	struct json_object *object = json_object_new_object();

	put_count(object, "remembered", counts->remembered);
	put_count(object, "tcp_dials", counts->tcp_dials);
	put_count(object, "retries", counts->retries);
	put_count(object, "learnt", counts->learnt);
	return object;
}

static struct json_object *report_local(const struct report_source *source, const struct stats *sum)
{
	const struct feature_state *state = local_feature(source->local);
	struct json_object *object = json_object_new_object();

	put(object, "available", json_object_new_boolean(state->available));
	put_text(object, "reason", state->reason);
	put_text(object, "cgroup",
		 source->config->relay.local_accel ? source->config->relay.local_accel : "");
	put_count(object, "clients", sum->local.clients);
	put_count(object, "redirected", sum->local.redirected);
	put_count(object, "passed", sum->local.passed);
	return object;
}

static struct json_object *report_links_summary(const struct report_source *source)
{
	struct json_object *object = json_object_new_object();
	const struct link *links = NULL;
	const char *reason = "";
	size_t count = 0;
	size_t up = 0;

	if (source->links) {
		links = links_list(source->links, &count);
		reason = links_reason(source->links);
	}
	for (size_t i = 0; i < count; i++)
		up += links[i].state == LINK_STATE_UP;
	put_text(object, "mode", links_mode_words[source->config->links.mode]);
	put_count(object, "count", count);
	put_count(object, "up", up);
	put(object, "set_up", json_object_new_boolean(count > 0 && !*reason));
	put_text(object, "reason", reason);
	report_links_upkeep(object, source->links);
	return object;
}

static struct json_object *report_configuration(const struct report_source *source)
{
	const struct report_reload *reload = &source->reload;
	struct json_object *object = json_object_new_object();
	struct json_object *last;

	put_text(object, "file", source->file ? source->file : "");
	if (source->awaited_file)
		put_text(object, "awaits", source->awaited_file);
	if (reload->at_s == 0)
		return object;
	last = json_object_new_object();
	put(last, "ok", json_object_new_boolean(!reload->failed));
	put_seconds(last, "time", reload->time_s);
	put_seconds(last, "age_s", clock_monotonic_s() - reload->at_s);
	put_text(last, "said", reload->said);
	put(object, "reload", last);
	return object;
}

static struct json_object *report_access_log(struct access_log *log)
{
	struct json_object *object = json_object_new_object();
	const struct access_log_state state = access_log_state(log);

	put_text(object, "to", state.where);
	put_count(object, "lines", state.lines);
	put_count(object, "dropped", state.dropped);
	put_text(object, "fault", state.fault);
	return object;
}

static struct json_object *report_hooks(const struct hooks *hooks)
{
	struct json_object *object = json_object_new_object();
	const struct hooks_state state = hooks_state(hooks);

	put_text(object, "program", state.program);
	put_count(object, "run", state.run);
	put_count(object, "failed", state.failed);
	put_count(object, "waiting", state.waiting);
	put_count(object, "dropped", state.dropped);
	return object;
}

static const char *congestion_name(const struct config *config)
{
	switch (config->congestion) {
	case CONGESTION_AUTO:
		return "auto";
	case CONGESTION_SYSTEM:
		return "system";
	default:
		return config->congestion_name;
	}
}

static struct stats sum_stats(const struct report_source *source)
{
	struct stats sum = {0};

	for (size_t i = 0; i < source->worker_count; i++) {
		struct stats stats = {0};

		worker_get_stats(source->workers[i], &stats);
		stats_add(&sum, &stats);
	}
	return sum;
}

static struct json_object *report_status(const struct report_source *source,
					 struct json_object *request)
{
	const struct config *config = source->config;
	struct json_object *status = json_object_new_object();
	struct stats sum = sum_stats(source);
	char kernel[KERNEL_VERSION_TEXT_MAX];

	(void)request;
	put_text(status, "version", HAWSER_VERSION);
	put_count(status, "pid", (uint64_t)getpid());
	put_seconds(status, "uptime_s", clock_monotonic_s() - source->started);
	put(status, "draining", json_object_new_boolean(source->draining));
	put(status, "configuration", report_configuration(source));
	put_count(status, "workers", source->worker_count);
	put_count(status, "rounds", sum.rounds);
	put_text(status, "mptcp", config_mptcp_name(config->mptcp));
	put_text(status, "tier", config_tier_name(config->relay.tier));
	put_text(status, "congestion", congestion_name(config));
	put_text(status, "kernel_version", kernel_version_format(kernel_version_get(), kernel));
	put(status, "kernel", report_kernel(source->sockmap));
	put(status, "links", report_links_summary(source));
	put(status, "interception", interception_report(source->interception));
	put(status, "local_accel", report_local(source, &sum));
	put(status, "listeners", report_listeners(config));
	put(status, "tokens", report_tokens(config));
	put(status, "sessions",
	    report_pair("active", sum.sessions_active, "total", sum.sessions_total));
	put(status, "bytes", report_pair("up", sum.relay.bytes_up, "down", sum.relay.bytes_down));
	put(status, "protocols", report_protocols(sum.protocols));
	put(status, "client", report_transports(sum.client_transport));
	put(status, "upstream", report_transports(sum.server_transport));
	put(status, "tcp_only", report_tcp_only(&sum.tcp_only));
	put(status, "errors", report_errors(sum.ended));
	put(status, "sockmap",
	    report_pair("entries", sum.relay.sockmap_entries, "refused",
			sum.relay.sockmap_refused));
	put(status, "accept",
	    report_pair("pauses", sum.accept_pauses, "errors", sum.accept_errors));
	if (source->access_log)
		put(status, "access_log", report_access_log(source->access_log));
	if (source->hooks)
		put(status, "on_event", report_hooks(source->hooks));
	put(status, "log_dropped", json_object_new_uint64(log_dropped()));
	return status;
}

static struct json_object *report_session(const struct session_row *row)
{
	struct json_object *session = json_object_new_object();
	char client[ADDRESS_TEXT_MAX];

	put_count(session, "id", row->id);
	put_text(session, "client", address_format(&row->client, client));
	put_text(session, "user", row->user);
	put_text(session, "destination", row->destination);
	put_text(session, "exit", row->exit);
	put_text(session, "state", row->state);
	put_text(session, "protocol", protocol_name(row->protocol));
	put_text(session, "client_transport", transport_name(row->client_transport));
	put_count(session, "client_subflows", row->client_subflows);
	put_text(session, "upstream_transport", transport_name(row->server_transport));
	put_count(session, "upstream_subflows", row->server_subflows);
	put_text(session, "tier_up", row->up.tier);
	put_text(session, "tier_down", row->down.tier);
	put_count(session, "tick_up_us", row->up.tick_us);
	put_count(session, "tick_down_us", row->down.tick_us);
	put_count(session, "bytes_up", row->up.bytes);
	put_count(session, "bytes_down", row->down.bytes);
	put_seconds(session, "age_s", row->age_s);
	put_seconds(session, "idle_s", row->idle_s);
	return session;
}

static struct json_object *report_flow(const struct session_row *session, const char *direction,
				       const struct flow_row *row)
{
	struct json_object *flow = json_object_new_object();

	put_count(flow, "session", session->id);
	put_text(flow, "direction", direction);
	put_text(flow, "tier", row->tier);
	put_text(flow, "reason", row->reason);
	put_count(flow, "tick_us", row->tick_us);
	put_count(flow, "bytes", row->bytes);
	put_count(flow, "held", row->held);
	put_count(flow, "redirected", row->redirected);
	put_count(flow, "passed", row->passed);
	put_count(flow, "granted", row->granted);
	put_count(flow, "entries", row->entries);
	put_count(flow, "exits", row->exits);
	return flow;
}

static void append_session(struct json_object *list, const struct session_row *row)
{
	append(list, report_session(row));
}

static void append_flows(struct json_object *list, const struct session_row *row)
{
	append(list, report_flow(row, "up", &row->up));
	append(list, report_flow(row, "down", &row->down));
}

/* "id" of a session, "session" of a flow. */
static uint64_t session_id(const void *element)
{
	struct json_object *const *row = element;
	struct json_object *id = json_object_object_get(*row, "id");

	return json_object_get_uint64(id ? id : json_object_object_get(*row, "session"));
}

static const char *direction_of(const void *element)
{
	struct json_object *const *row = element;
	const char *direction = json_object_get_string(json_object_object_get(*row, "direction"));

	return direction ? direction : "";
}

/* Of one session, "up" before "down". */
static int compare_rows(const void *a, const void *b)
{
	if (session_id(a) != session_id(b))
		return session_id(a) < session_id(b) ? -1 : 1;
	return strcmp(direction_of(b), direction_of(a));
}

/* {name: [what add made of each session]}, in the order of their numbers. */
static struct json_object *report_rows(const struct report_source *source, const char *name,
				       void (*add)(struct json_object *,
						   const struct session_row *))
{
	struct json_object *answer = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < source->worker_count; i++) {
		size_t count = 0;
		struct session_row *rows = worker_get_sessions(source->workers[i], &count);

		for (size_t j = 0; j < count; j++)
			add(list, &rows[j]);
		free(rows);
	}
	if (list)
		json_object_array_sort(list, compare_rows);
	put(answer, name, list);
	return answer;
}

static struct json_object *report_sessions(const struct report_source *source,
					   struct json_object *request)
{
	(void)request;
	return report_rows(source, "sessions", append_session);
}

static struct json_object *report_flows(const struct report_source *source,
					struct json_object *request)
{
	(void)request;
	return report_rows(source, "flows", append_flows);
}

/* Of the one session whose number the request has as "id". */
static struct json_object *report_one_session(const struct report_source *source,
					      struct json_object *request)
{
	struct session_detail *detail = calloc(1, sizeof(*detail));
	struct json_object *answer = NULL;
	struct json_object *id = json_object_object_get(request, "id");
	bool found = false;

	for (size_t i = 0; detail && i < source->worker_count && !found; i++)
		found = json_object_is_type(id, json_type_int) &&
			worker_get_session(source->workers[i], json_object_get_uint64(id), detail);
	if (found) {
		answer = json_object_new_object();
		put(answer, "session", report_session(&detail->row));
		put(answer, "subflows", report_subflows(detail, source->links));
	} else if (json_object_is_type(id, json_type_int)) {
		answer = json_error(detail ? "no such session" : "out of memory");
	} else {
		answer = json_error("no \"id\"; expected {\"command\":\"session\",\"id\":1}");
	}
	free(detail);
	return answer;
}

static struct json_object *answer_exits(const struct report_source *source,
					struct json_object *request)
{
	(void)request;
	return report_exits(source->config);
}

static struct json_object *answer_links(const struct report_source *source,
					struct json_object *request)
{
	(void)request;
	return report_links(source->links);
}

static struct json_object *answer_intercept(const struct report_source *source,
					    struct json_object *request)
{
	const struct stats sum = sum_stats(source);
	struct json_object *answer =
		report_intercept_settings(source->config, source->links, source->config->control);

	(void)request;
	report_intercept_figures(answer, &sum);
	put(answer, "holds",
	    json_object_new_boolean(source->worker_count > 0 && worker_holds(source->workers[0])));
	put(answer, "kept", interception_report(source->interception));
	return answer;
}

static struct json_object *answer_usage(const struct report_source *source,
					struct json_object *request)
{
	return report_usage(source->usage, request);
}

static const struct {
	const char *name;
	struct json_object *(*answer)(const struct report_source *source,
				      struct json_object *request);
} commands[] = {
	{"status", report_status},	 {"sessions", report_sessions},	  {"flows", report_flows},
	{"exits", answer_exits},	 {"intercept", answer_intercept}, {"links", answer_links},
	{"session", report_one_session}, {"usage", answer_usage},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static struct json_object *report_unknown(const char *command)
{
	char text[CONTROL_REQUEST_MAX + 64];

	snprintf(text, sizeof(text), "unknown command \"%s\"; hawser(1) lists them", command);
	return json_error(text);
}

struct json_object *report_answer(const struct report_source *source, const char *command,
				  struct json_object *request)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(command, commands[i].name) == 0)
			return commands[i].answer(source, request);
	}
	return report_unknown(command);
}
