/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links, and the subflows of a session, for people. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "cli/show.h"
#include "cli/table.h"

/* Of events, the last so many. */
#define EVENTS_SHOWN 10

/* "12.3/0.4": Mbit/s, received and sent. */
static void add_rate(struct table *table, struct json_object *rate)
{
	table_add(table, "%.1f/%.1f", (double)json_count(rate, "rx") * 8e-6,
		  (double)json_count(rate, "tx") * 8e-6);
}

static void print_quota(struct json_object *link)
{
	struct json_object *quota = json_member(link, "quota");
	char used[FIGURE_TEXT_MAX];
	char all[FIGURE_TEXT_MAX];

	if (quota)
		printf("%s has used %s of its quota of %s; the count starts anew on %s\n",
		       json_text(link, "name"), figure_bytes(used, json_count(quota, "used"), " "),
		       figure_bytes(all, json_count(quota, "bytes"), " "),
		       json_text(quota, "until"));
}

static void print_demoted(struct json_object *link)
{
	struct json_object *demoted = json_member(link, "demoted");

	if (demoted)
		printf("%s is demoted: all links together carried %.1f Mbit/s with it and %.1f "
		       "Mbit/s without it\n",
		       json_text(link, "name"), (double)json_count(demoted, "with") * 8e-6,
		       (double)json_count(demoted, "without") * 8e-6);
}

static void print_portal(struct json_object *link)
{
	struct json_object *portal = json_member(link, "portal");
	const char *url = json_text(portal, "url");

	if (portal)
		printf("%s is behind a portal: to log in, open %s in a browser that goes through "
		       "hawserd%s%s%s\n",
		       json_text(link, "name"), json_text(portal, "login"),
		       *url ? " (it leads to " : "", url, *url ? ")" : "");
}

static void add_link(struct table *table, struct json_object *link)
{
	struct json_object *bytes = json_member(link, "bytes");
	char figure[FIGURE_TEXT_MAX];

	table_add(table, "%s", json_text(link, "name"));
	table_add(table, "%s", json_text(link, "device"));
	table_add(table, "%s", json_text(link, "role"));
	table_add(table, "%" PRIu64, json_count(link, "weight"));
	table_add(table, "%s", json_text(link, "state"));
	table_add(table, "%s", json_text(json_member(link, "ipv4"), "address"));
	table_add(table, "%s", json_text(json_member(link, "ipv6"), "address"));
	table_add(table, "%s", figure_bytes(figure, json_count(bytes, "rx"), ""));
	table_add(table, "%s", figure_bytes(figure, json_count(bytes, "tx"), ""));
	add_rate(table, json_member(link, "rate_1s"));
	add_rate(table, json_member(link, "rate_1min"));
	add_rate(table, json_member(link, "rate_1h"));
}

static void print_event(struct json_object *event)
{
	const time_t seconds = (time_t)json_object_get_double(json_member(event, "time"));
	struct tm local;
	char text[32] = "-";

	if (localtime_r(&seconds, &local))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
	printf("%s  %s: %s\n", text, json_text(event, "link"), json_text(event, "event"));
}

void show_links(struct json_object *answer)
{
	static const struct column columns[] = {
		{"LINK", COLUMN_LEFT},	  {"DEVICE", COLUMN_LEFT}, {"ROLE", COLUMN_LEFT},
		{"WEIGHT", COLUMN_RIGHT}, {"STATE", COLUMN_LEFT},  {"IPV4", COLUMN_LEFT},
		{"IPV6", COLUMN_LEFT},	  {"RX", COLUMN_RIGHT},	   {"TX", COLUMN_RIGHT},
		{"1S", COLUMN_RIGHT},	  {"1MIN", COLUMN_RIGHT},  {"1H", COLUMN_RIGHT},
	};
	struct json_object *links = json_member(answer, "links");
	struct json_object *events = json_member(answer, "events");
	const char *reason = json_text(answer, "reason");
	const size_t count = json_length(events);

	table_show(columns, sizeof(columns) / sizeof(columns[0]), links, add_link, "links");
	for (size_t i = 0; i < json_length(links); i++)
		print_quota(json_object_array_get_idx(links, i));
	for (size_t i = 0; i < json_length(links); i++)
		print_demoted(json_object_array_get_idx(links, i));
	for (size_t i = 0; i < json_length(links); i++)
		print_portal(json_object_array_get_idx(links, i));
	for (size_t i = count > EVENTS_SHOWN ? count - EVENTS_SHOWN : 0; i < count; i++)
		print_event(json_object_array_get_idx(events, i));
	fflush(stdout);
	if (*json_text(answer, "fault"))
		fprintf(stderr, "hawser: links: %s\n", json_text(answer, "fault"));
	if (*json_text(answer, "without_endpoint"))
		fprintf(stderr, "hawser: the kernel keeps no more MPTCP endpoints: none for %s\n",
			json_text(answer, "without_endpoint"));
	if (json_count(answer, "put_back") > 0)
		fprintf(stderr,
			"hawser: others deleted what hawserd had set up; put back %" PRIu64
			" times; last: %s\n",
			json_count(answer, "put_back"), json_text(answer, "last"));
	if (*reason)
		fprintf(stderr, "hawser: hawserd counts but does not set up links: %s\n", reason);
}

static void add_subflow(struct table *table, struct json_object *subflow)
{
	struct json_object *backup = json_member(subflow, "backup");
	char figure[FIGURE_TEXT_MAX];

	table_add(table, "%s", json_text(subflow, "leg"));
	table_add(table, "%s", json_text(subflow, "link"));
	table_add(table, "%s", json_text(subflow, "local"));
	table_add(table, "%s", json_text(subflow, "remote"));
	table_add(table, "%s", json_text(subflow, "state"));
	table_add(table, "%s", !backup ? "" : json_object_get_boolean(backup) ? "yes" : "no");
	table_add(table, "%.1f", (double)json_count(subflow, "rtt_us") / 1e3);
	table_add(table, "%" PRIu64, json_count(subflow, "cwnd"));
	table_add(table, "%s", figure_bytes(figure, json_count(subflow, "bytes_sent"), ""));
	table_add(table, "%s", figure_bytes(figure, json_count(subflow, "bytes_received"), ""));
	table_add(table, "%" PRIu64, json_count(subflow, "retransmissions"));
}

void show_session(struct json_object *answer)
{
	static const struct column columns[] = {
		{"LEG", COLUMN_LEFT},	    {"LINK", COLUMN_LEFT},     {"LOCAL", COLUMN_LEFT},
		{"REMOTE", COLUMN_LEFT},    {"STATE", COLUMN_LEFT},    {"BACKUP", COLUMN_LEFT},
		{"RTT/MS", COLUMN_RIGHT},   {"CWND", COLUMN_RIGHT},    {"SENT", COLUMN_RIGHT},
		{"RECEIVED", COLUMN_RIGHT}, {"RETRANS", COLUMN_RIGHT},
	};
	struct json_object *session = json_member(answer, "session");
	char up[FIGURE_TEXT_MAX];
	char down[FIGURE_TEXT_MAX];
	char age[FIGURE_TEXT_MAX];

	printf("session %" PRIu64 ": %s to %s, %s, %s up, %s down, %s\n", json_count(session, "id"),
	       json_text(session, "client"), json_text(session, "destination"),
	       json_text(session, "state"), figure_bytes(up, json_count(session, "bytes_up"), " "),
	       figure_bytes(down, json_count(session, "bytes_down"), " "),
	       figure_duration(age, json_object_get_double(json_member(session, "age_s")), " "));
	table_show(columns, sizeof(columns) / sizeof(columns[0]), json_member(answer, "subflows"),
		   add_subflow, "subflows");
}
