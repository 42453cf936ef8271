/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the workers, adds up, builds JSON. */
#include "daemon/report.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accel/local.h"
#include "accel/packets.h"
#include "accel/sockmap.h"
#include "access_log/access_log.h"
#include "base/clock.h"
#include "base/control_socket.h"
#include "base/json.h"
#include "config/config.h"
#include "daemon/doctor_record.h"
#include "daemon/interception.h"
#include "daemon/report_exits.h"
#include "daemon/report_intercept.h"
#include "daemon/report_links.h"
#include "daemon/report_put.h"
#include "daemon/report_ready.h"
#include "daemon/report_sessions.h"
#include "daemon/report_speed.h"
#include "daemon/report_usage.h"
#include "daemon/worker.h"
#include "links/announced.h"
#include "links/links.h"
#include "net/kernel.h"
#include "net/kernel_version.h"
#include "net/local_address.h"
#include "on_event/on_event.h"
#include "session/stats.h"

static struct json_object *report_feature(const struct feature_state *state)
{
	struct json_object *entry = json_object_new_object();

	put_text(entry, "feature", state->name);
	put(entry, "available", json_object_new_boolean(state->available));
	put_text(entry, "reason", state->reason);
	return entry;
}

static struct json_object *report_kernel(const struct report_source *source)
{
	struct json_object *list = json_object_new_array();

	for (enum feature feature = 0; feature < FEATURE_COUNT; feature++)
		append(list, report_feature(kernel_feature(feature)));
	for (enum sockmap_feature feature = 0; feature < SOCKMAP_FEATURE_COUNT; feature++)
		append(list, report_feature(sockmap_feature(source->sockmap, feature)));
	if (source->packets)
		append(list, report_feature(packets_feature(source->packets)));
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

/* One that is translated to this host's is none of it, and right; one with a port must be. */
static struct json_object *report_not_local(const struct config *config)
{
	struct json_object *list = json_object_new_array();
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < config->announce_count; i++)
		if (local_address_check(&config->announce[i]) != 0)
			append(list, json_object_new_string(
					     address_format_ip(&config->announce[i], text)));
	return list;
}

static struct json_object *report_announced(const struct report_source *source)
{
	const struct config *config = source->config;
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < config->announce_count; i++) {
		const union address *address = &config->announce[i];
		char text[ADDRESS_TEXT_MAX];

		append(list, json_object_new_string(address_port(address) > 0
							    ? address_format(address, text)
							    : address_format_ip(address, text)));
	}
	put(object, "addresses", list);
	put(object, "not_local", report_not_local(config));
	put_text(object, "fault", announced_fault(source->announced));
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

static struct json_object *report_on_event(const struct on_event *on_event)
{
	struct json_object *object = json_object_new_object();
	const struct on_event_state state = on_event_state(on_event);

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

struct stats report_sum_stats(const struct report_source *source)
{
	struct stats sum = {0};

	for (size_t i = 0; i < source->worker_count; i++) {
		struct stats stats = {0};

		worker_get_stats(source->workers[i], &stats);
		stats_add(&sum, &stats);
	}
	return sum;
}

static struct json_object *report_sockmap(const struct relay_counters *counters)
{
	struct json_object *object = report_pair("entries", counters->sockmap_entries, "refused",
						 counters->sockmap_refused);

	put_count(object, "trials", counters->sockmap_trials);
	put_count(object, "won", counters->sockmap_trials_won);
	return object;
}

static struct json_object *report_status(const struct report_source *source,
					 struct json_object *request)
{
	const struct config *config = source->config;
	struct json_object *status = json_object_new_object();
	struct stats sum = report_sum_stats(source);
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
	put(status, "kernel", report_kernel(source));
	put(status, "links", report_links_summary(source));
	put(status, "announced", report_announced(source));
	put(status, "interception", interception_report(source->interception));
	put(status, "local_accel", report_local(source, &sum));
	put(status, "listeners", report_listeners(config));
	put(status, "tokens", report_tokens(config));
	put(status, "sessions",
	    report_pair("active", sum.sessions_active, "total", sum.sessions_total));
	put(status, "bytes",
	    report_pair("up", relay_counters_sum(&sum.relay, UP), "down",
			relay_counters_sum(&sum.relay, DOWN)));
	put(status, "protocols", report_protocols(sum.protocols));
	put(status, "client", report_transports(sum.client_transport));
	put(status, "upstream", report_transports(sum.server_transport));
	put(status, "tcp_only", report_tcp_only(&sum.tcp_only));
	put(status, "errors", report_errors(sum.ended));
	put(status, "sockmap", report_sockmap(&sum.relay));
	put(status, "packets",
	    report_pair("taken", sum.relay.packets_taken, "refused", sum.relay.packets_refused));
	put(status, "accept",
	    report_pair("pauses", sum.accept_pauses, "errors", sum.accept_errors));
	if (source->access_log)
		put(status, "access_log", report_access_log(source->access_log));
	if (source->on_event)
		put(status, "on_event", report_on_event(source->on_event));
	put(status, "log_dropped", json_object_new_uint64(log_dropped()));
	return status;
}

static struct crew crew_of(const struct report_source *source)
{
	return (struct crew){.workers = source->workers, .count = source->worker_count};
}

static struct json_object *answer_sessions(const struct report_source *source,
					   struct json_object *request)
{
	const struct crew crew = crew_of(source);

	return report_sessions(&crew, request);
}

static struct json_object *answer_flows(const struct report_source *source,
					struct json_object *request)
{
	const struct crew crew = crew_of(source);

	return report_flows(&crew, request);
}

static struct json_object *answer_session(const struct report_source *source,
					  struct json_object *request)
{
	const struct crew crew = crew_of(source);

	return report_one_session(&crew, source->links, request);
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

static struct json_object *answer_events(const struct report_source *source,
					 struct json_object *request)
{
	(void)request;
	return report_events(source->links, source->on_event);
}

static struct json_object *answer_intercept(const struct report_source *source,
					    struct json_object *request)
{
	const struct stats sum = report_sum_stats(source);
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

static struct json_object *answer_rates(const struct report_source *source,
					struct json_object *request)
{
	(void)request;
	return report_rates(source->links);
}

static struct json_object *answer_doctor(const struct report_source *source,
					 struct json_object *request)
{
	(void)request;
	return doctor_record_report(source->doctor);
}

static struct json_object *answer_ready(const struct report_source *source,
					struct json_object *request)
{
	/* There is no answer unless all workers turn. */
	(void)report_sum_stats(source);
	(void)request;
	return report_ready(source->config, source->draining);
}

static struct json_object *answer_speed(const struct report_source *source,
					struct json_object *request)
{
	return report_speed(source->speed, request);
}

static const struct {
	const char *name;
	struct json_object *(*answer)(const struct report_source *source,
				      struct json_object *request);
} commands[] = {
	{"status", report_status},   {"sessions", answer_sessions},   {"flows", answer_flows},
	{"exits", answer_exits},     {"intercept", answer_intercept}, {"links", answer_links},
	{"session", answer_session}, {"usage", answer_usage},	      {"rates", answer_rates},
	{"doctor", answer_doctor},   {"events", answer_events},	      {"speedtest", answer_speed},
	{"ready", answer_ready},
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
