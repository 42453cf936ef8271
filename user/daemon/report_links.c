/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON of links and of a session's subflows. */
#include "daemon/report_links.h"

#include <string.h>

#include "base/clock.h"
#include "daemon/report_put.h"
#include "links/link_portals.h"
#include "links/link_tell.h"
#include "links/link_upkeep.h"
#include "links/links.h"
#include "links/portal_door.h"
#include "on_event/on_event.h"
#include "session/stats.h"

static void put_ip(struct json_object *object, const char *key, const union address *address)
{
	char text[ADDRESS_TEXT_MAX];

	put_text(object, key,
		 address->sa.sa_family == AF_UNSPEC ? "" : address_format_ip(address, text));
}

static struct json_object *report_bytes(const struct link_bytes *bytes)
{
	struct json_object *object = json_object_new_object();

	put_count(object, "rx", bytes->rx);
	put_count(object, "tx", bytes->tx);
	return object;
}

static struct json_object *report_path(const struct link_path *path)
{
	struct json_object *object = json_object_new_object();

	put_ip(object, "address", &path->address);
	put_ip(object, "gateway", &path->gateway);
	put(object, "routed", json_object_new_boolean(path->routed));
	put(object, "taken", json_object_new_boolean(path->taken));
	put(object, "works", json_object_new_boolean(path->works));
	return object;
}

static struct json_object *report_quota(const struct link_config *link,
					const struct quota_usage *usage)
{
	struct json_object *object = json_object_new_object();
	char until[LINK_DAY_TEXT_MAX];

	quota_usage_month(time(NULL), link->reset_day, true, until);
	put_count(object, "bytes", link->quota);
	put_count(object, "used", usage->month.bytes);
	put_text(object, "since", usage->month.since);
	put_text(object, "until", until);
	return object;
}

/* Bytes a second, as all rates. */
static struct json_object *report_sums(const struct link_sums *sums)
{
	struct json_object *object = json_object_new_object();

	put_count(object, "with", (uint64_t)sums->with);
	put_count(object, "without", (uint64_t)sums->without);
	return object;
}

static struct json_object *report_portal(const struct link *link, const struct link_portal *portal)
{
	struct json_object *object = json_object_new_object();
	char door[PORTAL_DOOR_URL_MAX];

	put_text(object, "login", portal_door_url(link_slot(link->table), door));
	put_text(object, "url", portal->location);
	return object;
}

static struct json_object *report_link(const struct links *links, size_t index)
{
	static const char *const spans[LINK_SPANS] = {"rate_1s", "rate_1min", "rate_1h"};
	const struct link *link = links_list(links, &(size_t){0}) + index;
	const struct link_rates *meter = links_meter(links, index);
	const struct link_portal *portal = links_portal(links, index);
	const struct link_echoes echoes = links_echoes(links, index);
	struct json_object *object = json_object_new_object();
	char prefix[PREFIX_TEXT_MAX];

	put_text(object, "name", link->config.name);
	put_text(object, "device", link->config.device);
	put_text(object, "role", link_role_words[link->config.role]);
	put_count(object, "weight", link->config.weight);
	put_text(object, "state", link_state_name(link->state));
	if (link->state == LINK_STATE_DEMOTED)
		put(object, "demoted", report_sums(&link->sums));
	if (portal)
		put(object, "portal", report_portal(link, portal));
	put(object, "automatic", json_object_new_boolean(link->automatic));
	/* Packets of a mesh's prefix go by what its routing daemon says. */
	put_count(object, "table", link->from.bits > 0 ? 0 : link->table);
	if (link->from.bits > 0)
		put_text(object, "prefix", prefix_format(&link->from, prefix));
	put(object, "ipv4", report_path(&link->paths[IP_V4]));
	put(object, "ipv6", report_path(&link->paths[IP_V6]));
	put(object, "bytes", report_bytes(&meter->total));
	put_count(object, "rtt_us", echoes.rtt_us);
	put(object, "probes", report_pair("requests", echoes.requests, "replies", echoes.replies));
	if (links_usage(links, index))
		put(object, "quota", report_quota(&link->config, links_usage(links, index)));
	for (enum link_span span = 0; span < LINK_SPANS; span++) {
		const struct link_bytes rate = link_rates_rate(meter, span);

		put(object, spans[span], report_bytes(&rate));
	}
	return object;
}

/* [seconds ago, received, sent a second] */
static struct json_object *report_span(const struct link_sample *from, const struct link_sample *to,
				       double now)
{
	const double span_s = to->at_s - from->at_s;
	const double figures[] = {now - to->at_s, (double)(to->total.rx - from->total.rx) / span_s,
				  (double)(to->total.tx - from->total.tx) / span_s};
	struct json_object *row = json_object_new_array();

	for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++)
		append(row, json_object_new_int64((int64_t)(figures[i] + 0.5)));
	return row;
}

/* Of each span between two looks, the oldest first. */
static struct json_object *report_samples(const struct link_samples *ring)
{
	const size_t oldest = ring->next + LINK_RATES_SAMPLES - ring->count;
	struct json_object *list = json_object_new_array();
	const double now = clock_monotonic_s();

	for (size_t i = 1; i < ring->count; i++) {
		const struct link_sample *to = &ring->samples[(oldest + i) % LINK_RATES_SAMPLES];
		const struct link_sample *from =
			&ring->samples[(oldest + i - 1) % LINK_RATES_SAMPLES];

		if (to->at_s > from->at_s)
			append(list, report_span(from, to, now));
	}
	return list;
}

struct json_object *report_rates(const struct links *links)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *list = json_object_new_array();
	size_t count = 0;
	const struct link *all = links ? links_list(links, &count) : NULL;

	for (size_t i = 0; i < count; i++) {
		struct json_object *object = json_object_new_object();

		put_text(object, "name", all[i].config.name);
		put(object, "seconds", report_samples(&links_meter(links, i)->fine));
		put(object, "minutes", report_samples(&links_meter(links, i)->rough));
		append(list, object);
	}
	put(answer, "rates", list);
	return answer;
}

static struct json_object *report_event(const struct link_event *event)
{
	struct json_object *object = json_object_new_object();

	put_seconds(object, "time", event->time_s);
	put_text(object, "link", event->link);
	put_text(object, "event", event->text);
	return object;
}

static struct json_object *report_past(const struct past_event *past)
{
	struct json_object *object = json_object_new_object();

	put_seconds(object, "time", past->time_s);
	put_text(object, "link", "");
	put_text(object, "event", past->text);
	return object;
}

struct json_object *report_events(const struct links *links, const struct on_event *on_event)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *list = json_object_new_array();
	const struct link_event *event;
	const struct past_event *past;
	size_t i = 0;

	for (size_t j = 0; on_event && (past = on_event_past(on_event, j)); j++) {
		/* The links' own events say more of it. */
		if (link_tell_is_state(past->event))
			continue;
		while (links && (event = links_event(links, i)) && event->time_s <= past->time_s) {
			append(list, report_event(event));
			i++;
		}
		append(list, report_past(past));
	}
	while (links && (event = links_event(links, i++)))
		append(list, report_event(event));
	put(answer, "events", list);
	return answer;
}

void report_links_upkeep(struct json_object *object, const struct links *links)
{
	const struct link_upkeep none = {0};
	const struct link_upkeep *upkeep = links ? links_upkeep(links) : &none;

	put_text(object, "fault", upkeep->fault);
	put_text(object, "without_endpoint", upkeep->crowded);
	put_count(object, "put_back", upkeep->put_back);
	put_text(object, "last", upkeep->what);
	put_seconds(object, "last_age_s",
		    upkeep->put_back ? clock_monotonic_s() - upkeep->put_back_s : 0);
}

struct json_object *report_links(const struct links *links)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *events = json_object_new_array();
	const struct link_event *event;
	size_t count = 0;

	if (links)
		links_list(links, &count);
	for (size_t i = 0; i < count; i++)
		append(list, report_link(links, i));
	for (size_t i = 0; links && (event = links_event(links, i)); i++)
		append(events, report_event(event));
	put_text(answer, "reason", links ? links_reason(links) : "");
	put_text(answer, "left_out", links ? links_left_out(links) : "");
	report_links_upkeep(answer, links);
	put(answer, "links", list);
	put(answer, "events", events);
	return answer;
}

static struct json_object *report_subflow(const struct subflow *subflow, const char *leg,
					  const struct links *links)
{
	const struct link *link = links_find(links, &subflow->local);
	struct json_object *object = json_object_new_object();
	char text[ADDRESS_TEXT_MAX];

	put_text(object, "leg", leg);
	put_text(object, "link", link ? link->config.name : "");
	put_text(object, "local", address_format(&subflow->local, text));
	put_text(object, "remote", address_format(&subflow->remote, text));
	put_text(object, "state", subflow_state_name(subflow->state));
	put(object, "backup",
	    subflow->backup == SUBFLOW_BACKUP_UNKNOWN
		    ? NULL
		    : json_object_new_boolean(subflow->backup == SUBFLOW_BACKUP_YES));
	put_count(object, "rtt_us", subflow->rtt_us);
	put_count(object, "cwnd", subflow->cwnd);
	put_count(object, "bytes_sent", subflow->bytes_sent);
	put_count(object, "bytes_received", subflow->bytes_received);
	put_count(object, "bytes_retransmitted", subflow->bytes_retransmitted);
	put_count(object, "retransmissions", subflow->retransmissions);
	return object;
}

static void append_leg(struct json_object *list, const char *leg, struct subflow *subflows,
		       size_t count, const struct links *links)
{
	for (size_t i = 0; i < count; i++) {
		const struct link *link = links_find(links, &subflows[i].local);

		subflows[i].device = link ? link->device : 0;
	}
	subflow_ask_backup(subflows, count);
	for (size_t i = 0; i < count; i++)
		append(list, report_subflow(&subflows[i], leg, links));
}

struct json_object *report_subflows(struct session_detail *detail, const struct links *links)
{
	struct json_object *list = json_object_new_array();

	append_leg(list, "client", detail->client, detail->client_count, links);
	append_leg(list, "upstream", detail->upstream, detail->upstream_count, links);
	return list;
}
