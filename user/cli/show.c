/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/show.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/table.h"

enum counts { COUNTS_ALL, COUNTS_NON_ZERO };

static void print_label(const char *label)
{
	printf("%-10s  ", label);
}

__attribute__((format(printf, 2, 3))) static void print_line(const char *label, const char *format,
							     ...)
{
	va_list arguments;

	print_label(label);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* "5 socks5, 2 http-connect", or "none". */
static void print_counts(const char *label, struct json_object *counts, enum counts which)
{
	const char *separator = "";

	print_label(label);
	if (json_object_is_type(counts, json_type_object)) {
		json_object_object_foreach(counts, name, value)
		{
			uint64_t count = json_object_get_uint64(value);

			if (count == 0 && which == COUNTS_NON_ZERO)
				continue;
			printf("%s%" PRIu64 " %s", separator, count, name);
			separator = ", ";
		}
	}
	puts(*separator ? "" : "none");
}

static void show_kernel(struct json_object *list)
{
	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		const char *reason = json_text(entry, "reason");
		bool available = json_object_get_boolean(json_member(entry, "available"));

		print_line("", "%s: %s%s%s", json_text(entry, "feature"), available ? "yes" : "no",
			   *reason ? ", " : "", reason);
	}
}

static void show_listeners(struct json_object *list)
{
	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		const char *to = json_text(entry, "to");

		const bool waiting = json_object_get_boolean(json_member(entry, "waiting"));

		print_line(i ? "" : "listeners", "%s %s%s%s%s", json_text(entry, "address"),
			   json_text(entry, "kind"), *to ? " to " : "", to,
			   waiting ? ", waits: no interface has this address" : "");
	}
}

/* Nothing when it was not asked for. */
static void show_local(struct json_object *local)
{
	char redirected[FIGURE_TEXT_MAX];
	char passed[FIGURE_TEXT_MAX];

	if (!*json_text(local, "cgroup"))
		return;
	if (!json_object_get_boolean(json_member(local, "available"))) {
		print_line("local", "no, %s", json_text(local, "reason"));
		return;
	}
	print_line("local", "%" PRIu64 " clients sent %s past TCP, %s by TCP",
		   json_count(local, "clients"),
		   figure_bytes(redirected, json_count(local, "redirected"), " "),
		   figure_bytes(passed, json_count(local, "passed"), " "));
}

/* Nothing when there are none. */
static void show_links_summary(struct json_object *links)
{
	const char *reason = json_text(links, "reason");
	const char *fault = json_text(links, "fault");
	const char *without = json_text(links, "without_endpoint");

	if (json_count(links, "count") == 0 && !*reason)
		return;
	print_line("links", "%" PRIu64 " of %" PRIu64 " up%s%s%s%s%s%s", json_count(links, "up"),
		   json_count(links, "count"), *reason ? ", not set up: " : "", reason,
		   *fault ? ", " : "", fault,
		   *without ? ", the kernel keeps no more MPTCP endpoints: none for " : "",
		   without);
}

/* Nothing when there are none. */
static void show_announced(struct json_object *announced)
{
	struct json_object *addresses = json_member(announced, "addresses");
	struct json_object *not_local = json_member(announced, "not_local");
	const char *fault = json_text(announced, "fault");

	for (size_t i = 0; i < json_length(addresses); i++)
		print_line(i ? "" : "announced", "%s",
			   json_object_get_string(json_object_array_get_idx(addresses, i)));
	for (size_t i = 0; i < json_length(not_local); i++)
		print_line("",
			   "%s is no address of this host: right only if it is translated to one",
			   json_object_get_string(json_object_array_get_idx(not_local, i)));
	if (*fault)
		print_line("", "%s", fault);
}

/* Nothing when nobody wants it. */
static void show_interception(struct json_object *interception)
{
	const char *fault = json_text(interception, "fault");

	if (!json_object_get_boolean(json_member(interception, "wanted")))
		return;
	print_line("interception", "%s%s%s, put back %" PRIu64 " times", *fault ? "broken: " : "up",
		   fault,
		   json_object_get_boolean(json_member(interception, "routed"))
			   ? "; the LAN is routed"
			   : "",
		   json_count(interception, "put_back"));
}

/* Those of this exit that have no room. */
static void show_full_tokens(struct json_object *list)
{
	char age[FIGURE_TEXT_MAX];

	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *token = json_object_array_get_idx(list, i);

		if (json_member(token, "full_for_s"))
			print_line("token",
				   "%s is full for %s: %" PRIu64 " of %" PRIu64
				   " sessions; more are refused",
				   json_text(token, "name"),
				   figure_duration(age, json_seconds(token, "full_for_s"), " "),
				   json_count(token, "sessions"),
				   json_count(token, "sessions_max"));
	}
}

static void show_configuration(struct json_object *configuration)
{
	struct json_object *reload = json_member(configuration, "reload");
	const char *file = json_text(configuration, "file");
	const char *said = json_text(reload, "said");
	char age[FIGURE_TEXT_MAX];

	print_line("file", "%s", *file ? file : "none");
	if (reload)
		print_line("reloaded", "%s ago, %s%s%s",
			   figure_duration(age, json_seconds(reload, "age_s"), " "),
			   json_object_get_boolean(json_member(reload, "ok")) ? "ok" : "failed",
			   *said ? ": " : "", said);
}

void show_ready(struct json_object *answer)
{
	const char *reason = json_text(answer, "reason");

	printf("%s%s%s\n", *reason ? "not ready" : "ready", *reason ? ": " : "", reason);
}

void show_reload(struct json_object *answer)
{
	const char *file = json_text(answer, "file");
	const char *said = json_text(answer, "said");

	printf("%s reloaded\n", *file ? file : "command line");
	if (*said)
		puts(said);
}

void show_killed(struct json_object *answer)
{
	printf("session %" PRIu64 " was reset\n", json_count(answer, "killed"));
}

/* Nothing while it is off. */
static void show_access_log(struct json_object *log)
{
	const char *fault = json_text(log, "fault");

	if (*json_text(log, "to"))
		print_line("access log", "%s, %" PRIu64 " lines, %" PRIu64 " dropped%s%s",
			   json_text(log, "to"), json_count(log, "lines"),
			   json_count(log, "dropped"), *fault ? ": " : "", fault);
}

/* Nothing without a program. */
static void show_on_event(struct json_object *on_event)
{
	if (*json_text(on_event, "program"))
		print_line("on event",
			   "%s, run %" PRIu64 " times, failed %" PRIu64 ", %" PRIu64
			   " events left out",
			   json_text(on_event, "program"), json_count(on_event, "run"),
			   json_count(on_event, "failed"), json_count(on_event, "dropped"));
}

void show_status(struct json_object *answer)
{
	struct json_object *sessions = json_member(answer, "sessions");
	struct json_object *bytes = json_member(answer, "bytes");
	struct json_object *accept = json_member(answer, "accept");
	struct json_object *tcp_only = json_member(answer, "tcp_only");
	struct json_object *sockmap = json_member(answer, "sockmap");
	char up[FIGURE_TEXT_MAX];
	char down[FIGURE_TEXT_MAX];
	char uptime[FIGURE_TEXT_MAX];

	print_line("hawserd", "%s, pid %" PRIu64 ", workers %" PRIu64, json_text(answer, "version"),
		   json_count(answer, "pid"), json_count(answer, "workers"));
	print_line("uptime", "%s", figure_duration(uptime, json_seconds(answer, "uptime_s"), " "));
	if (json_object_get_boolean(json_member(answer, "draining")))
		print_line("draining", "takes no new sessions, and ends with the last one");
	show_configuration(json_member(answer, "configuration"));
	print_line("settings", "mptcp %s, tier %s, congestion %s", json_text(answer, "mptcp"),
		   json_text(answer, "tier"), json_text(answer, "congestion"));
	print_line("kernel", "%s", json_text(answer, "kernel_version"));
	show_kernel(json_member(answer, "kernel"));
	show_listeners(json_member(answer, "listeners"));
	show_links_summary(json_member(answer, "links"));
	show_announced(json_member(answer, "announced"));
	show_interception(json_member(answer, "interception"));
	show_full_tokens(json_member(answer, "tokens"));
	print_line("sessions", "%" PRIu64 " active, %" PRIu64 " total",
		   json_count(sessions, "active"), json_count(sessions, "total"));
	print_line("bytes", "%s up, %s down", figure_bytes(up, json_count(bytes, "up"), " "),
		   figure_bytes(down, json_count(bytes, "down"), " "));
	print_counts("protocols", json_member(answer, "protocols"), COUNTS_NON_ZERO);
	show_local(json_member(answer, "local_accel"));
	print_counts("clients", json_member(answer, "client"), COUNTS_ALL);
	print_counts("upstream", json_member(answer, "upstream"), COUNTS_ALL);
	print_line("tcp only",
		   "%" PRIu64 " servers known, %" PRIu64 " dialled by TCP, %" PRIu64
		   " tried again, %" PRIu64 " speak MPTCP now",
		   json_count(tcp_only, "remembered"), json_count(tcp_only, "tcp_dials"),
		   json_count(tcp_only, "retries"), json_count(tcp_only, "learnt"));
	print_counts("errors", json_member(answer, "errors"), COUNTS_NON_ZERO);
	print_line("sockmap",
		   "%" PRIu64 " entries, %" PRIu64 " refused, %" PRIu64 " of %" PRIu64
		   " trials won",
		   json_count(sockmap, "entries"), json_count(sockmap, "refused"),
		   json_count(sockmap, "won"), json_count(sockmap, "trials"));
	print_line("packets", "%" PRIu64 " taken, %" PRIu64 " refused",
		   json_count(json_member(answer, "packets"), "taken"),
		   json_count(json_member(answer, "packets"), "refused"));
	print_line("accepting", "%" PRIu64 " pauses, %" PRIu64 " errors",
		   json_count(accept, "pauses"), json_count(accept, "errors"));
	show_access_log(json_member(answer, "access_log"));
	show_on_event(json_member(answer, "on_event"));
	if (json_count(answer, "log_dropped") > 0)
		print_line("log", "%" PRIu64 " lines dropped: nobody read them",
			   json_count(answer, "log_dropped"));
}

/* What the daemon calls "none" is not known yet: the table shows "-". */
static const char *known(const char *text)
{
	return strcmp(text, "none") == 0 ? "" : text;
}

/* "tcp", "mptcp/2". */
static void add_transport(struct table *table, struct json_object *session,
			  const char *transport_key, const char *subflows_key)
{
	const char *transport = json_text(session, transport_key);

	if (strcmp(transport, "mptcp") == 0)
		table_add(table, "%s/%" PRIu64, transport, json_count(session, subflows_key));
	else
		table_add(table, "%s", known(transport));
}

static void add_session(struct table *table, struct json_object *session)
{
	char figure[FIGURE_TEXT_MAX];

	table_add(table, "%" PRIu64, json_count(session, "id"));
	table_add(table, "%s", json_text(session, "client"));
	table_add(table, "%s", json_text(session, "user"));
	table_add(table, "%s", json_text(session, "destination"));
	table_add(table, "%s", json_text(session, "state"));
	table_add(table, "%s", known(json_text(session, "protocol")));
	add_transport(table, session, "client_transport", "client_subflows");
	add_transport(table, session, "upstream_transport", "upstream_subflows");
	table_add(table, "%s", json_text(session, "exit"));
	table_add(table, "%s/%s", json_text(session, "tier_up"), json_text(session, "tier_down"));
	table_add(table, "%s", figure_bytes(figure, json_count(session, "bytes_up"), ""));
	table_add(table, "%s", figure_bytes(figure, json_count(session, "bytes_down"), ""));
	table_add(table, "%s", figure_duration(figure, json_seconds(session, "age_s"), ""));
	table_add(table, "%s", figure_duration(figure, json_seconds(session, "idle_s"), ""));
}

void show_sessions(struct json_object *answer)
{
	static const struct column columns[] = {
		{"ID", COLUMN_RIGHT},	      {"CLIENT", COLUMN_LEFT}, {"USER", COLUMN_LEFT},
		{"DESTINATION", COLUMN_LEFT}, {"STATE", COLUMN_LEFT},  {"IN", COLUMN_LEFT},
		{"FROM", COLUMN_LEFT},	      {"TO", COLUMN_LEFT},     {"EXIT", COLUMN_LEFT},
		{"TIER", COLUMN_LEFT},	      {"UP", COLUMN_RIGHT},    {"DOWN", COLUMN_RIGHT},
		{"AGE", COLUMN_RIGHT},	      {"IDLE", COLUMN_RIGHT},
	};

	table_show(columns, sizeof(columns) / sizeof(columns[0]), json_member(answer, "sessions"),
		   add_session, "sessions");
}

static void add_flow(struct table *table, struct json_object *flow)
{
	static const char *const in_kernel[] = {"redirected", "passed", "granted"};
	char figure[FIGURE_TEXT_MAX];

	table_add(table, "%" PRIu64, json_count(flow, "session"));
	table_add(table, "%s", json_text(flow, "direction"));
	table_add(table, "%s", known(json_text(flow, "tier")));
	table_add(table, "%" PRIu64, json_count(flow, "tick_us"));
	table_add(table, "%s", figure_bytes(figure, json_count(flow, "bytes"), ""));
	table_add(table, "%s", figure_bytes(figure, json_count(flow, "held"), ""));
	for (size_t i = 0; i < sizeof(in_kernel) / sizeof(in_kernel[0]); i++)
		table_add(table, "%s", figure_bytes(figure, json_count(flow, in_kernel[i]), ""));
	table_add(table, "%" PRIu64, json_count(flow, "entries"));
	table_add(table, "%" PRIu64, json_count(flow, "exits"));
	table_add(table, "%" PRIu64, json_count(flow, "packets"));
	table_add(table, "%s", json_text(flow, "reason"));
}

void show_flows(struct json_object *answer)
{
	static const struct column columns[] = {
		{"SESSION", COLUMN_RIGHT},    {"DIRECTION", COLUMN_LEFT}, {"TIER", COLUMN_LEFT},
		{"TICK", COLUMN_RIGHT},	      {"BYTES", COLUMN_RIGHT},	  {"HELD", COLUMN_RIGHT},
		{"REDIRECTED", COLUMN_RIGHT}, {"PASSED", COLUMN_RIGHT},	  {"GRANTED", COLUMN_RIGHT},
		{"ENTRIES", COLUMN_RIGHT},    {"EXITS", COLUMN_RIGHT},	  {"PACKETS", COLUMN_RIGHT},
		{"REASON", COLUMN_LEFT},
	};

	table_show(columns, sizeof(columns) / sizeof(columns[0]), json_member(answer, "flows"),
		   add_flow, "sessions");
}

static void add_exit(struct table *table, struct json_object *exit)
{
	struct json_object *sessions = json_member(exit, "sessions");
	const double rtt_s = json_seconds(exit, "rtt_s");
	char figure[FIGURE_TEXT_MAX];

	table_add(table, "%s", json_text(exit, "name"));
	table_add(table, "%s", json_text(exit, "address"));
	table_add(table, "%s", json_text(exit, "state"));
	table_add(table, "%" PRIu64 "/%" PRIu64, json_count(exit, "priority"),
		  json_count(exit, "weight"));
	if (rtt_s > 0)
		table_add(table, "%.0fms", rtt_s * 1000);
	else
		table_add(table, "%s", strcmp(json_text(exit, "state"), "up") == 0 ? "<1ms" : "");
	table_add(table, "%" PRIu64, json_count(sessions, "active"));
	table_add(table, "%" PRIu64, json_count(sessions, "total"));
	table_add(table, "%" PRIu64, json_count(exit, "failures"));
	table_add(table, "%s", json_text(exit, "last_failure"));
	if (json_member(exit, "last_failure"))
		table_add(table, "%s",
			  figure_duration(figure, json_seconds(exit, "last_failure_age_s"), ""));
	else
		table_add(table, "%s", "");
}

size_t count_exits_up(struct json_object *answer)
{
	struct json_object *list = json_member(answer, "exits");
	size_t up = 0;

	for (size_t i = 0; i < json_length(list); i++)
		up += strcmp(json_text(json_object_array_get_idx(list, i), "state"), "down") != 0;
	return up;
}

/* The one that went down last, as from then on there is none. */
static double seconds_without_exit(struct json_object *list)
{
	double least = -1;

	for (size_t i = 0; i < json_length(list); i++) {
		const double down_s =
			json_seconds(json_object_array_get_idx(list, i), "down_for_s");

		if (least < 0 || down_s < least)
			least = down_s;
	}
	return least;
}

bool exits_trouble(struct json_object *answer, char *out, size_t size)
{
	struct json_object *list = json_member(answer, "exits");
	const bool refused = strcmp(json_text(answer, "when_no_exit"), "refuse") == 0;
	const char *way = refused ? "new sessions are refused" : "new sessions go directly";
	size_t full = 0;
	char age[FIGURE_TEXT_MAX];

	for (size_t i = 0; i < json_length(list); i++)
		full += json_member(json_object_array_get_idx(list, i), "full_for_s") != NULL;
	*out = '\0';
	if (json_length(list) > 0 && count_exits_up(answer) == 0)
		snprintf(out, size, "no exit for %s: %s",
			 figure_duration(age, seconds_without_exit(list), " "), way);
	else if (full > 0)
		snprintf(out, size, "%zu full (sessions= of the token): %s", full,
			 full < count_exits_up(answer) ? "others are used" : way);
	return *out;
}

void show_exits_summary(struct json_object *answer)
{
	struct json_object *list = json_member(answer, "exits");
	char trouble[EXITS_TROUBLE_MAX];

	if (json_length(list) > 0)
		print_line("exits", "%zu of %zu up%s%s", count_exits_up(answer), json_length(list),
			   exits_trouble(answer, trouble, sizeof(trouble)) ? "; " : "", trouble);
}

static void print_avoided(struct json_object *exit)
{
	struct json_object *list = json_member(exit, "avoided");

	for (size_t i = 0; i < json_length(list); i++)
		printf("exit %s: %s does not answer; hawserd tries its other addresses first\n",
		       json_text(exit, "name"),
		       json_object_get_string(json_object_array_get_idx(list, i)));
}

void show_exits(struct json_object *answer)
{
	static const struct column columns[] = {
		{"NAME", COLUMN_LEFT},	 {"ADDRESS", COLUMN_LEFT},
		{"STATE", COLUMN_LEFT},	 {"PRIO/WEIGHT", COLUMN_LEFT},
		{"RTT", COLUMN_RIGHT},	 {"SESSIONS", COLUMN_RIGHT},
		{"TOTAL", COLUMN_RIGHT}, {"FAILURES", COLUMN_RIGHT},
		{"LAST", COLUMN_LEFT},	 {"AGO", COLUMN_RIGHT},
	};
	struct json_object *list = json_member(answer, "exits");

	table_show(columns, sizeof(columns) / sizeof(columns[0]), list, add_exit, "exits");
	for (size_t i = 0; i < json_length(list); i++)
		print_avoided(json_object_array_get_idx(list, i));
}
