/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answers, of two made-up workers: the linker puts __wrap_NAME in place of the worker's NAME.
 */
#include "daemon/report.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

#include "config/config.h"
#include "daemon/worker.h"
#include "net/kernel.h"

struct fake_worker {
	struct stats stats;
	const struct session_row *rows;
	size_t row_count;
};

void __wrap_worker_get_stats(struct worker *worker, struct stats *out);
struct session_row *__wrap_worker_get_sessions(struct worker *worker, size_t *count);

void __wrap_worker_get_stats(struct worker *worker, struct stats *out)
{
	*out = ((struct fake_worker *)worker)->stats;
}

struct session_row *__wrap_worker_get_sessions(struct worker *worker, size_t *count)
{
	const struct fake_worker *fake = (struct fake_worker *)worker;
	size_t bytes = fake->row_count * sizeof(*fake->rows);
	struct session_row *rows = bytes ? malloc(bytes) : NULL;

	*count = fake->row_count;
	if (rows)
		memcpy(rows, fake->rows, bytes);
	return rows;
}

bool __wrap_worker_get_session(struct worker *worker, uint64_t id, struct session_detail *out);

/* A worker's rows, with two made-up subflows upstream. */
bool __wrap_worker_get_session(struct worker *worker, uint64_t id, struct session_detail *out)
{
	const struct fake_worker *fake = (struct fake_worker *)worker;

	for (size_t i = 0; i < fake->row_count; i++) {
		if (fake->rows[i].id != id)
			continue;
		*out = (struct session_detail){.row = fake->rows[i], .upstream_count = 2};
		out->upstream[0] = (struct subflow){.state = 1,
						    .rtt_us = 20001,
						    .cwnd = 10,
						    .bytes_sent = 1,
						    .bytes_received = 2,
						    .bytes_retransmitted = 3,
						    .retransmissions = 4,
						    .backup = SUBFLOW_BACKUP_NO};
		out->upstream[1].backup = SUBFLOW_BACKUP_YES;
		return true;
	}
	return false;
}

/* Every counter gets another value: base, base + 1... */
static void fill_stats(struct stats *stats, uint64_t base)
{
	stats->sessions_total = base++;
	stats->sessions_active = base++;
	stats->relay.bytes_up = base++;
	stats->relay.bytes_down = base++;
	for (size_t i = 0; i < PROTOCOL_COUNT; i++)
		stats->protocols[i] = base++;
	for (size_t i = 0; i < TRANSPORT_COUNT; i++)
		stats->client_transport[i] = base++;
	for (size_t i = 0; i < TRANSPORT_COUNT; i++)
		stats->server_transport[i] = base++;
	for (size_t i = 0; i < CAUSE_COUNT; i++)
		stats->ended[i] = base++;
	stats->relay.sockmap_entries = base++;
	stats->relay.sockmap_refused = base++;
	stats->accept_pauses = base++;
	stats->accept_errors = base++;
	stats->rounds = base++;
	stats->tcp_only.remembered = base++;
	stats->tcp_only.tcp_dials = base++;
	stats->tcp_only.retries = base++;
	stats->tcp_only.learnt = base++;
	stats->local.clients = base++;
	stats->local.redirected = base++;
	stats->local.passed = base;
}

static double monotonic_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct sockmap *sockmap;

/* What these two workers lead to; text is the request, as JSON. */
static struct json_object *ask_with(const struct config *config, struct fake_worker workers[2],
				    const char *command, const char *text)
{
	struct json_object *request = json_tokener_parse(text);
	struct worker *pointers[] = {(struct worker *)&workers[0], (struct worker *)&workers[1]};
	struct report_source source = {
		.config = config,
		.sockmap = sockmap,
		.workers = pointers,
		.worker_count = 2,
		.started = monotonic_seconds() - 100,
	};
	struct json_object *answer = report_answer(&source, command, request);

	json_object_put(request);
	assert_non_null(answer);
	return answer;
}

static struct json_object *ask(const struct config *config, struct fake_worker workers[2],
			       const char *command)
{
	return ask_with(config, workers, command, "{}");
}

static struct json_object *get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no member \"%s\"", key);
	return value;
}

static void assert_text(struct json_object *object, const char *key, const char *expected)
{
	assert_true(json_object_is_type(get(object, key), json_type_string));
	assert_string_equal(json_object_get_string(get(object, key)), expected);
}

static void assert_count(struct json_object *object, const char *key, uint64_t expected)
{
	assert_true(json_object_is_type(get(object, key), json_type_int));
	assert_int_equal(json_object_get_uint64(get(object, key)), expected);
}

static void assert_seconds(struct json_object *object, const char *key, const char *expected)
{
	assert_true(json_object_is_type(get(object, key), json_type_double));
	assert_string_equal(json_object_to_json_string(get(object, key)), expected);
}

static void assert_members(struct json_object *object, int expected)
{
	assert_true(json_object_is_type(object, json_type_object));
	assert_int_equal(json_object_object_length(object), expected);
}

static void status_sums_both_workers(void **state)
{
	struct fake_worker workers[2] = {0};
	const struct config config = {.congestion = CONGESTION_SYSTEM};
	const struct stats *a = &workers[0].stats;
	const struct stats *b = &workers[1].stats;
	struct json_object *status;
	struct json_object *part;

	(void)state;
	fill_stats(&workers[0].stats, 1000);
	fill_stats(&workers[1].stats, (uint64_t)1 << 40);
	status = ask(&config, workers, "status");
	assert_members(status, 27);
	assert_count(status, "rounds", a->rounds + b->rounds);

	part = get(status, "sessions");
	assert_members(part, 2);
	assert_count(part, "active", a->sessions_active + b->sessions_active);
	assert_count(part, "total", a->sessions_total + b->sessions_total);
	part = get(status, "links");
	assert_members(part, 9);
	assert_text(part, "mode", "listed");
	assert_text(part, "reason", "");
	assert_count(part, "count", 0);
	part = get(status, "local_accel");
	assert_members(part, 6);
	assert_text(part, "reason", "not asked for");
	assert_text(part, "cgroup", "");
	assert_count(part, "clients", a->local.clients + b->local.clients);
	assert_count(part, "redirected", a->local.redirected + b->local.redirected);
	assert_count(part, "passed", a->local.passed + b->local.passed);
	part = get(status, "bytes");
	assert_members(part, 2);
	assert_count(part, "up", a->relay.bytes_up + b->relay.bytes_up);
	assert_count(part, "down", a->relay.bytes_down + b->relay.bytes_down);
	part = get(status, "protocols");
	assert_members(part, PROTOCOL_COUNT - 1);
	for (enum protocol i = PROTOCOL_SOCKS5; i < PROTOCOL_COUNT; i++)
		assert_count(part, protocol_name(i), a->protocols[i] + b->protocols[i]);
	part = get(status, "client");
	assert_members(part, 3);
	assert_count(part, "tcp",
		     a->client_transport[TRANSPORT_TCP] + b->client_transport[TRANSPORT_TCP]);
	assert_count(part, "mptcp",
		     a->client_transport[TRANSPORT_MPTCP] + b->client_transport[TRANSPORT_MPTCP]);
	assert_count(part, "fallback",
		     a->client_transport[TRANSPORT_FALLBACK] +
			     b->client_transport[TRANSPORT_FALLBACK]);
	part = get(status, "upstream");
	assert_members(part, 3);
	assert_count(part, "tcp",
		     a->server_transport[TRANSPORT_TCP] + b->server_transport[TRANSPORT_TCP]);
	assert_count(part, "mptcp",
		     a->server_transport[TRANSPORT_MPTCP] + b->server_transport[TRANSPORT_MPTCP]);
	assert_count(part, "fallback",
		     a->server_transport[TRANSPORT_FALLBACK] +
			     b->server_transport[TRANSPORT_FALLBACK]);
	part = get(status, "tcp_only");
	assert_members(part, 4);
	assert_count(part, "remembered", a->tcp_only.remembered + b->tcp_only.remembered);
	assert_count(part, "tcp_dials", a->tcp_only.tcp_dials + b->tcp_only.tcp_dials);
	assert_count(part, "retries", a->tcp_only.retries + b->tcp_only.retries);
	assert_count(part, "learnt", a->tcp_only.learnt + b->tcp_only.learnt);
	part = get(status, "errors");
	assert_members(part, CAUSE_COUNT - 1);
	for (enum cause i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
		assert_count(part, cause_info(i)->name, a->ended[i] + b->ended[i]);
	part = get(status, "sockmap");
	assert_members(part, 2);
	assert_count(part, "entries", a->relay.sockmap_entries + b->relay.sockmap_entries);
	assert_count(part, "refused", a->relay.sockmap_refused + b->relay.sockmap_refused);
	part = get(status, "accept");
	assert_members(part, 2);
	assert_count(part, "pauses", a->accept_pauses + b->accept_pauses);
	assert_count(part, "errors", a->accept_errors + b->accept_errors);
	assert_count(status, "log_dropped", log_dropped());
	json_object_put(status);
}

static void status_describes_the_daemon(void **state)
{
	struct fake_worker workers[2] = {0};
	struct listen_config listen[3] = {{.forward = false}, {.forward = true}, {.forward = true}};
	struct config config = {
		.listen = listen,
		.listen_count = 3,
		.mptcp = MPTCP_MODE_ON,
		.relay = {.tier = TIER_MODE_SPLICE},
		.congestion = CONGESTION_NAMED,
		.congestion_name = "cubic",
	};
	struct json_object *status;
	struct json_object *list;
	double uptime;

	(void)state;
	assert_int_equal(address_parse("[::1]:1080", &listen[0].address), 0);
	assert_int_equal(address_parse("127.0.0.1:2222", &listen[1].address), 0);
	assert_int_equal(destination_parse("example.org:22", &listen[1].to), 0);
	assert_int_equal(address_parse("127.0.0.1:2223", &listen[2].address), 0);
	assert_int_equal(destination_parse("[2001:db8::1]:23", &listen[2].to), 0);
	status = ask(&config, workers, "status");
	assert_text(status, "version", HAWSER_VERSION);
	assert_count(status, "pid", (uint64_t)getpid());
	uptime = json_object_get_double(get(status, "uptime_s"));
	assert_true(uptime >= 100 && uptime < 110);
	assert_count(status, "workers", 2);
	assert_text(status, "mptcp", "on");
	assert_text(status, "tier", "splice");
	assert_text(status, "congestion", "cubic");

	list = get(status, "listeners");
	assert_int_equal(json_object_array_length(list), 3);
	assert_members(json_object_array_get_idx(list, 0), 3);
	assert_text(json_object_array_get_idx(list, 0), "address", "[::1]:1080");
	assert_text(json_object_array_get_idx(list, 0), "kind", "socks");
	assert_members(json_object_array_get_idx(list, 1), 4);
	assert_text(json_object_array_get_idx(list, 1), "address", "127.0.0.1:2222");
	assert_text(json_object_array_get_idx(list, 1), "kind", "forward");
	assert_text(json_object_array_get_idx(list, 1), "to", "example.org:22");
	assert_text(json_object_array_get_idx(list, 2), "to", "[2001:db8::1]:23");
	json_object_put(status);
}

static void status_tells_what_the_kernel_offers(void **state)
{
	struct fake_worker workers[2] = {0};
	const struct config config = {0};
	struct json_object *status;
	struct json_object *list;

	(void)state;
	kernel_probe();
	status = ask(&config, workers, "status");
	list = get(status, "kernel");
	assert_int_equal(json_object_array_length(list), FEATURE_COUNT + SOCKMAP_FEATURE_COUNT);
	for (enum sockmap_feature i = 0; i < SOCKMAP_FEATURE_COUNT; i++) {
		struct json_object *entry =
			json_object_array_get_idx(list, FEATURE_COUNT + (size_t)i);

		assert_text(entry, "feature", sockmap_feature(sockmap, i)->name);
		assert_false(json_object_get_boolean(get(entry, "available")));
		assert_text(entry, "reason", sockmap_feature(sockmap, i)->reason);
	}
	for (enum feature i = 0; i < FEATURE_COUNT; i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);

		assert_members(entry, 3);
		assert_text(entry, "feature", kernel_feature(i)->name);
		assert_int_equal(json_object_get_boolean(get(entry, "available")),
				 kernel_feature(i)->available);
		assert_text(entry, "reason", kernel_feature(i)->reason);
	}
	json_object_put(status);
}

static void status_names_each_mode(void **state)
{
	struct fake_worker workers[2] = {0};
	static const char *const tiers[] = {"auto", "copy", "splice", "sockmap"};
	static const char *const congestions[] = {"auto", "system", "bbr", "bbr"};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct config config = {
			.relay = {.tier = (enum tier_mode)i},
			.congestion = (enum congestion_mode)(i < 3 ? i : CONGESTION_NAMED),
			.congestion_name = "bbr",
		};
		struct json_object *status = ask(&config, workers, "status");

		assert_text(status, "tier", tiers[i]);
		assert_text(status, "congestion", congestions[i]);
		json_object_put(status);
	}
}

static void sessions_are_complete_and_sorted(void **state)
{
	struct session_row first_rows[] = {
		{.id = 9, .state = "handshake", .up = {.tier = "-"}, .down = {.tier = "-"}},
		{.id = 3, .state = "resolving", .up = {.tier = "-"}, .down = {.tier = "-"}},
	};
	struct session_row second_rows[] = {
		{
			.id = 4,
			.destination = "example.org:443",
			.exit = "vps",
			.state = "relaying",
			.protocol = PROTOCOL_SOCKS5,
			.client_transport = TRANSPORT_TCP,
			.server_transport = TRANSPORT_MPTCP,
			.client_subflows = 1,
			.server_subflows = 2,
			.up = {.tier = "splice", .bytes = 77},
			.down = {.tier = "copy", .tick_us = 2000, .bytes = (uint64_t)5 << 40},
			.age_s = 61.5,
			.idle_s = 0.1254,
		},
	};
	struct fake_worker workers[2] = {
		{.rows = first_rows, .row_count = 2},
		{.rows = second_rows, .row_count = 1},
	};
	const struct config config = {0};
	struct json_object *answer;
	struct json_object *list;
	struct json_object *row;

	(void)state;
	assert_int_equal(address_parse("192.0.2.7:40000", &second_rows[0].client), 0);
	answer = ask(&config, workers, "sessions");
	assert_members(answer, 1);
	list = get(answer, "sessions");
	assert_int_equal(json_object_array_length(list), 3);
	assert_count(json_object_array_get_idx(list, 0), "id", 3);
	assert_count(json_object_array_get_idx(list, 2), "id", 9);

	row = json_object_array_get_idx(list, 1);
	assert_members(row, 18);
	assert_count(row, "id", 4);
	assert_text(row, "client", "192.0.2.7:40000");
	assert_text(row, "destination", "example.org:443");
	assert_text(row, "exit", "vps");
	assert_text(row, "state", "relaying");
	assert_text(row, "protocol", "socks5");
	assert_text(row, "client_transport", "tcp");
	assert_count(row, "client_subflows", 1);
	assert_text(row, "upstream_transport", "mptcp");
	assert_count(row, "upstream_subflows", 2);
	assert_text(row, "tier_up", "splice");
	assert_count(row, "tick_up_us", 0);
	assert_count(row, "tick_down_us", 2000);
	assert_text(row, "tier_down", "copy");
	assert_count(row, "bytes_up", 77);
	assert_count(row, "bytes_down", (uint64_t)5 << 40);
	assert_seconds(row, "age_s", "61.500");
	assert_seconds(row, "idle_s", "0.125");
	json_object_put(answer);
}

static void flows_are_complete_and_sorted(void **state)
{
	struct session_row first_rows[] = {
		{.id = 9, .up = {.tier = "-", .reason = "-"}, .down = {.tier = "-", .reason = "-"}},
	};
	struct session_row second_rows[] = {
		{
			.id = 4,
			.up = {.tier = "sockmap",
			       .reason = "chat",
			       .bytes = 1,
			       .held = 2,
			       .redirected = 3,
			       .passed = 4,
			       .granted = 5,
			       .entries = 6,
			       .exits = 7},
			.down = {.tier = "copy", .reason = "bulk", .tick_us = 4000},
		},
	};
	struct fake_worker workers[2] = {
		{.rows = first_rows, .row_count = 1},
		{.rows = second_rows, .row_count = 1},
	};
	const struct config config = {0};
	struct json_object *answer = ask(&config, workers, "flows");
	struct json_object *list = get(answer, "flows");
	struct json_object *row;

	(void)state;
	assert_members(answer, 1);
	assert_int_equal(json_object_array_length(list), 4);
	row = json_object_array_get_idx(list, 0);
	assert_members(row, 12);
	assert_count(row, "session", 4);
	assert_text(row, "direction", "up");
	assert_text(row, "tier", "sockmap");
	assert_text(row, "reason", "chat");
	assert_count(row, "tick_us", 0);
	assert_count(row, "bytes", 1);
	assert_count(row, "held", 2);
	assert_count(row, "redirected", 3);
	assert_count(row, "passed", 4);
	assert_count(row, "granted", 5);
	assert_count(row, "entries", 6);
	assert_count(row, "exits", 7);
	row = json_object_array_get_idx(list, 1);
	assert_count(row, "session", 4);
	assert_text(row, "direction", "down");
	assert_count(row, "tick_us", 4000);
	assert_count(json_object_array_get_idx(list, 2), "session", 9);
	assert_text(json_object_array_get_idx(list, 3), "direction", "down");
	json_object_put(answer);
}

static void no_sessions_is_an_empty_list(void **state)
{
	struct fake_worker workers[2] = {0};
	const struct config config = {0};
	struct json_object *answer = ask(&config, workers, "sessions");

	(void)state;
	assert_string_equal(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN),
			    "{\"sessions\":[]}");
	json_object_put(answer);
}

static void assert_list(struct json_object *object, const char *key, const char *expected)
{
	assert_string_equal(json_object_to_json_string_ext(get(object, key),
							   JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE),
			    expected);
}

static void intercept_tells_what_rules_are_made_of(void **state)
{
	struct fake_worker workers[2] = {0};
	struct listen_config listen[3] = {
		{.transparent = true}, {.transparent = false}, {.transparent = true}};
	struct interface lan[] = {{"br-lan"}, {"wlan0"}};
	struct prefix destinations[2];
	struct prefix source;
	struct port_range ports[] = {{25, 25}, {6000, 6063}};
	struct domain domain = {"example.org"};
	struct mac mac = {{0, 0x16, 0x3e, 0xa, 0xb, 0xff}};
	const struct config config = {.listen = listen,
				      .listen_count = 3,
				      .tcp_only = {.retry = 7},
				      .intercept = {.method = INTERCEPT_REDIRECT,
						    .auto_bypass = true,
						    .lan = lan,
						    .lan_count = 2,
						    .bypass_destination = destinations,
						    .bypass_destination_count = 2,
						    .bypass_source = &source,
						    .bypass_source_count = 1,
						    .bypass_port = ports,
						    .bypass_port_count = 2,
						    .bypass_mac = &mac,
						    .bypass_mac_count = 1,
						    .bypass_domain = &domain,
						    .bypass_domain_count = 1}};
	struct json_object *answer;
	struct json_object *bypass;

	(void)state;
	assert_int_equal(address_parse("0.0.0.0:1090", &listen[0].address), 0);
	assert_int_equal(address_parse("127.0.0.1:1080", &listen[1].address), 0);
	assert_int_equal(address_parse("[::]:1090", &listen[2].address), 0);
	assert_int_equal(prefix_parse("10.0.0.0/8", &destinations[0]), 0);
	assert_int_equal(prefix_parse("fd00::/8", &destinations[1]), 0);
	assert_int_equal(prefix_parse("10.1.2.3", &source), 0);
	workers[0].stats.bypassed_by_name = 2;
	workers[1].stats.bypassed_by_name = 3;
	workers[1].stats.protocols[PROTOCOL_TRANSPARENT] = 42;
	answer = ask(&config, workers, "intercept");
	assert_text(answer, "method", "redirect");
	assert_list(answer, "listeners", "[\"0.0.0.0:1090\",\"[::]:1090\"]");
	assert_list(answer, "lan", "[\"br-lan\",\"wlan0\"]");
	bypass = get(answer, "bypass");
	assert_list(bypass, "destination", "[\"10.0.0.0/8\",\"fd00::/8\"]");
	assert_list(bypass, "source", "[\"10.1.2.3/32\"]");
	assert_list(bypass, "port", "[\"25\",\"6000-6063\"]");
	assert_list(bypass, "mac", "[\"00:16:3e:0a:0b:ff\"]");
	assert_list(bypass, "domain", "[\"example.org\"]");
	assert_count(answer, "bypassed_by_name", 5);
	assert_count(answer, "auto_bypass_retry", 7);
	assert_list(answer, "auto_bypass", "true");
	assert_list(answer, "transparent_source", "false");
	assert_list(answer, "prefer_name", "false");
	assert_count(answer, "sessions", 42);
	json_object_put(answer);
}

static void one_session_with_its_subflows(void **state)
{
	static const char *const refused[][2] = {
		{"{\"id\":6}", "no such session"},
		{"{\"id\":-5}", "no such session"},
		{"{\"id\":\"5\"}", "no \"id\"; expected {\"command\":\"session\",\"id\":1}"},
		{"{}", "no \"id\"; expected {\"command\":\"session\",\"id\":1}"},
	};
	const struct session_row row = {
		.id = 5, .state = "relaying", .up = {.tier = "copy"}, .down = {.tier = "copy"}};
	struct fake_worker workers[2] = {{.row_count = 0}, {.rows = &row, .row_count = 1}};
	const struct config config = {0};
	struct json_object *answer = ask_with(&config, workers, "session", "{\"id\":5}");
	struct json_object *subflow;

	(void)state;
	assert_members(answer, 2);
	assert_count(get(answer, "session"), "id", 5);
	assert_int_equal(json_object_array_length(get(answer, "subflows")), 2);
	subflow = json_object_array_get_idx(get(answer, "subflows"), 0);
	assert_members(subflow, 12);
	assert_text(subflow, "leg", "upstream");
	assert_text(subflow, "link", "");
	assert_text(subflow, "local", "-");
	assert_text(subflow, "state", "established");
	assert_count(subflow, "rtt_us", 20001);
	assert_count(subflow, "cwnd", 10);
	assert_count(subflow, "bytes_sent", 1);
	assert_count(subflow, "bytes_received", 2);
	assert_count(subflow, "bytes_retransmitted", 3);
	assert_count(subflow, "retransmissions", 4);
	assert_false(json_object_get_boolean(get(subflow, "backup")));
	subflow = json_object_array_get_idx(get(answer, "subflows"), 1);
	assert_true(json_object_get_boolean(get(subflow, "backup")));
	json_object_put(answer);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		answer = ask_with(&config, workers, "session", refused[i][0]);
		assert_members(answer, 1);
		assert_text(answer, "error", refused[i][1]);
		json_object_put(answer);
	}
}

static void no_links_are_empty_lists(void **state)
{
	struct fake_worker workers[2] = {0};
	const struct config config = {0};
	struct json_object *answer = ask(&config, workers, "links");

	(void)state;
	assert_string_equal(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN),
			    "{\"reason\":\"\",\"fault\":\"\",\"put_back\":0,\"last\":\"\","
			    "\"last_age_s\":0.000,\"links\":[],\"events\":[]}");
	json_object_put(answer);
}

static void unknown_commands_are_refused(void **state)
{
	static const char *const words[] = {"", "stat", "statuses", "Status"};
	struct fake_worker workers[2] = {0};
	const struct config config = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct json_object *answer = ask(&config, workers, words[i]);
		char expected[120];

		snprintf(expected, sizeof(expected), "unknown command \"%s\"; hawser(1) lists them",
			 words[i]);
		assert_members(answer, 1);
		assert_text(answer, "error", expected);
		json_object_put(answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_sums_both_workers),
		cmocka_unit_test(status_describes_the_daemon),
		cmocka_unit_test(status_tells_what_the_kernel_offers),
		cmocka_unit_test(status_names_each_mode),
		cmocka_unit_test(sessions_are_complete_and_sorted),
		cmocka_unit_test(flows_are_complete_and_sorted),
		cmocka_unit_test(no_sessions_is_an_empty_list),
		cmocka_unit_test(intercept_tells_what_rules_are_made_of),
		cmocka_unit_test(one_session_with_its_subflows),
		cmocka_unit_test(no_links_are_empty_lists),
		cmocka_unit_test(unknown_commands_are_refused),
	};

	int failed;

	sockmap = sockmap_open(&(struct sockmap_options){.off = true});
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	sockmap_close(sockmap);
	return failed;
}
