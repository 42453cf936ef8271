/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "show.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "show_json.h"
#include "table.h"

enum counts { COUNTS_ALL, COUNTS_NON_ZERO };

static void print_label(const char *label)
{
	printf("%-10s  ", label);
}

static void print_line(const char *label, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void print_line(const char *label, const char *format, ...)
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
	for (size_t i = 0; i < length_of(list); i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		const char *reason = text_of(entry, "reason");
		bool available = json_object_get_boolean(member(entry, "available"));

		print_line(i ? "" : "kernel", "%s: %s%s%s", text_of(entry, "feature"),
			   available ? "yes" : "no", *reason ? ", " : "", reason);
	}
}

static void show_listeners(struct json_object *list)
{
	for (size_t i = 0; i < length_of(list); i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		const char *to = text_of(entry, "to");

		print_line(i ? "" : "listeners", "%s %s%s%s", text_of(entry, "address"),
			   text_of(entry, "kind"), *to ? " to " : "", to);
	}
}

/* Nothing when it was not asked for. */
static void show_local(struct json_object *local)
{
	char redirected[FIGURE_TEXT_MAX];
	char passed[FIGURE_TEXT_MAX];

	if (!*text_of(local, "cgroup"))
		return;
	if (!json_object_get_boolean(member(local, "available"))) {
		print_line("local", "no, %s", text_of(local, "reason"));
		return;
	}
	print_line("local", "%" PRIu64 " clients, %s past TCP, %s by TCP",
		   count_of(local, "clients"),
		   figure_bytes(redirected, count_of(local, "redirected"), " "),
		   figure_bytes(passed, count_of(local, "passed"), " "));
}

/* Nothing when there are none. */
static void show_links_summary(struct json_object *links)
{
	const char *reason = text_of(links, "reason");

	if (count_of(links, "count") == 0 && !*reason)
		return;
	print_line("links", "%" PRIu64 " of %" PRIu64 " up%s%s", count_of(links, "up"),
		   count_of(links, "count"), *reason ? ", figures only: " : "", reason);
}

void show_status(struct json_object *answer)
{
	struct json_object *sessions = member(answer, "sessions");
	struct json_object *bytes = member(answer, "bytes");
	struct json_object *accept = member(answer, "accept");
	struct json_object *tcp_only = member(answer, "tcp_only");
	char up[FIGURE_TEXT_MAX];
	char down[FIGURE_TEXT_MAX];
	char uptime[FIGURE_TEXT_MAX];

	print_line("hawserd", "%s, pid %" PRIu64 ", workers %" PRIu64, text_of(answer, "version"),
		   count_of(answer, "pid"), count_of(answer, "workers"));
	print_line("uptime", "%s", figure_duration(uptime, seconds_of(answer, "uptime_s"), " "));
	print_line("settings", "mptcp %s, tier %s, congestion %s", text_of(answer, "mptcp"),
		   text_of(answer, "tier"), text_of(answer, "congestion"));
	show_kernel(member(answer, "kernel"));
	show_listeners(member(answer, "listeners"));
	show_links_summary(member(answer, "links"));
	print_line("sessions", "%" PRIu64 " active, %" PRIu64 " total",
		   count_of(sessions, "active"), count_of(sessions, "total"));
	print_line("bytes", "%s up, %s down", figure_bytes(up, count_of(bytes, "up"), " "),
		   figure_bytes(down, count_of(bytes, "down"), " "));
	print_counts("protocols", member(answer, "protocols"), COUNTS_NON_ZERO);
	show_local(member(answer, "local_accel"));
	print_counts("clients", member(answer, "client"), COUNTS_ALL);
	print_counts("upstream", member(answer, "upstream"), COUNTS_ALL);
	print_line("tcp only",
		   "%" PRIu64 " remembered, %" PRIu64 " plain dials, %" PRIu64 " retries, %" PRIu64
		   " learnt mptcp",
		   count_of(tcp_only, "remembered"), count_of(tcp_only, "tcp_dials"),
		   count_of(tcp_only, "retries"), count_of(tcp_only, "learnt"));
	print_counts("errors", member(answer, "errors"), COUNTS_NON_ZERO);
	print_line("sockmap", "%" PRIu64 " entries, %" PRIu64 " refused",
		   count_of(member(answer, "sockmap"), "entries"),
		   count_of(member(answer, "sockmap"), "refused"));
	print_line("accepting", "%" PRIu64 " pauses, %" PRIu64 " errors",
		   count_of(accept, "pauses"), count_of(accept, "errors"));
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
	const char *transport = text_of(session, transport_key);

	if (strcmp(transport, "mptcp") == 0)
		table_add(table, "%s/%" PRIu64, transport, count_of(session, subflows_key));
	else
		table_add(table, "%s", known(transport));
}

static void add_session(struct table *table, struct json_object *session)
{
	char figure[FIGURE_TEXT_MAX];

	table_add(table, "%" PRIu64, count_of(session, "id"));
	table_add(table, "%s", text_of(session, "client"));
	table_add(table, "%s", text_of(session, "destination"));
	table_add(table, "%s", text_of(session, "state"));
	table_add(table, "%s", known(text_of(session, "protocol")));
	add_transport(table, session, "client_transport", "client_subflows");
	add_transport(table, session, "upstream_transport", "upstream_subflows");
	table_add(table, "%s/%s", text_of(session, "tier_up"), text_of(session, "tier_down"));
	table_add(table, "%s", figure_bytes(figure, count_of(session, "bytes_up"), ""));
	table_add(table, "%s", figure_bytes(figure, count_of(session, "bytes_down"), ""));
	table_add(table, "%s", figure_duration(figure, seconds_of(session, "age_s"), ""));
	table_add(table, "%s", figure_duration(figure, seconds_of(session, "idle_s"), ""));
}

void show_sessions(struct json_object *answer)
{
	static const struct column columns[] = {
		{"ID", COLUMN_RIGHT},	{"CLIENT", COLUMN_LEFT}, {"DESTINATION", COLUMN_LEFT},
		{"STATE", COLUMN_LEFT}, {"IN", COLUMN_LEFT},	 {"FROM", COLUMN_LEFT},
		{"TO", COLUMN_LEFT},	{"TIER", COLUMN_LEFT},	 {"UP", COLUMN_RIGHT},
		{"DOWN", COLUMN_RIGHT}, {"AGE", COLUMN_RIGHT},	 {"IDLE", COLUMN_RIGHT},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	struct json_object *list = member(answer, "sessions");
	size_t count = length_of(list);

	for (size_t i = 0; i < count; i++)
		add_session(table, json_object_array_get_idx(list, i));
	table_print(table);
	if (count == 0) {
		fflush(stdout);
		fputs("hawser: no sessions\n", stderr);
	}
}

static void add_flow(struct table *table, struct json_object *flow)
{
	static const char *const in_kernel[] = {"redirected", "passed", "granted"};
	char figure[FIGURE_TEXT_MAX];

	table_add(table, "%" PRIu64, count_of(flow, "session"));
	table_add(table, "%s", text_of(flow, "direction"));
	table_add(table, "%s", known(text_of(flow, "tier")));
	table_add(table, "%" PRIu64, count_of(flow, "tick_us"));
	table_add(table, "%s", figure_bytes(figure, count_of(flow, "bytes"), ""));
	table_add(table, "%s", figure_bytes(figure, count_of(flow, "held"), ""));
	for (size_t i = 0; i < sizeof(in_kernel) / sizeof(in_kernel[0]); i++)
		table_add(table, "%s", figure_bytes(figure, count_of(flow, in_kernel[i]), ""));
	table_add(table, "%" PRIu64, count_of(flow, "entries"));
	table_add(table, "%" PRIu64, count_of(flow, "exits"));
	table_add(table, "%s", text_of(flow, "reason"));
}

void show_flows(struct json_object *answer)
{
	static const struct column columns[] = {
		{"SESSION", COLUMN_RIGHT},    {"DIRECTION", COLUMN_LEFT}, {"TIER", COLUMN_LEFT},
		{"TICK", COLUMN_RIGHT},	      {"BYTES", COLUMN_RIGHT},	  {"HELD", COLUMN_RIGHT},
		{"REDIRECTED", COLUMN_RIGHT}, {"PASSED", COLUMN_RIGHT},	  {"GRANTED", COLUMN_RIGHT},
		{"ENTRIES", COLUMN_RIGHT},    {"EXITS", COLUMN_RIGHT},	  {"REASON", COLUMN_LEFT},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	struct json_object *list = member(answer, "flows");
	size_t count = length_of(list);

	for (size_t i = 0; i < count; i++)
		add_flow(table, json_object_array_get_idx(list, i));
	table_print(table);
	if (count == 0) {
		fflush(stdout);
		fputs("hawser: no sessions\n", stderr);
	}
}
