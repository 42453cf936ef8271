/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of the daemon, by all commands but those about sessions. */
#include "report_fixture.h"

#include "daemon/report_ready.h"
#include "shared/exit_state.h"

/* Every counter gets another value: base, base + 1... */
static void fill_stats(struct stats *stats, uint64_t base)
{
	stats->sessions_total = base++;
	stats->sessions_active = base++;
	stats->relay.bytes[UP][MOVER_COPY][TRANSPORT_TCP][TRANSPORT_MPTCP] = base++;
	stats->relay.bytes[UP][MOVER_LOCAL][TRANSPORT_MPTCP][TRANSPORT_FALLBACK] = base++;
	stats->relay.bytes[DOWN][MOVER_SOCKMAP][TRANSPORT_TCP][TRANSPORT_TCP] = base++;
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
	stats->relay.sockmap_trials = base++;
	stats->relay.sockmap_trials_won = base++;
	stats->relay.packets_taken = base++;
	stats->relay.packets_refused = base++;
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
	assert_members(status, 29);
	assert_count(status, "rounds", a->rounds + b->rounds);

	part = get(status, "sessions");
	assert_members(part, 2);
	assert_count(part, "active", a->sessions_active + b->sessions_active);
	assert_count(part, "total", a->sessions_total + b->sessions_total);
	part = get(status, "links");
	assert_members(part, 10);
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
	assert_count(part, "up",
		     relay_counters_sum(&a->relay, UP) + relay_counters_sum(&b->relay, UP));
	assert_count(part, "down",
		     relay_counters_sum(&a->relay, DOWN) + relay_counters_sum(&b->relay, DOWN));
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
	assert_members(part, 4);
	assert_count(part, "trials", a->relay.sockmap_trials + b->relay.sockmap_trials);
	assert_count(part, "won", a->relay.sockmap_trials_won + b->relay.sockmap_trials_won);
	assert_count(get(status, "packets"), "taken",
		     a->relay.packets_taken + b->relay.packets_taken);
	assert_count(get(status, "packets"), "refused",
		     a->relay.packets_refused + b->relay.packets_refused);
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

static void no_links_are_empty_lists(void **state)
{
	struct fake_worker workers[2] = {0};
	const struct config config = {0};
	struct json_object *answer = ask(&config, workers, "links");

	(void)state;
	assert_string_equal(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN),
			    "{\"reason\":\"\",\"left_out\":\"\",\"fault\":\"\","
			    "\"without_endpoint\":\"\",\"put_back\":0,\"last\":\"\","
			    "\"last_age_s\":0.000,\"links\":[],\"events\":[]}");
	json_object_put(answer);
}

static void assert_ready(const struct config *config, bool draining, const char *reason)
{
	struct json_object *answer = report_ready(config, draining);

	assert_members(answer, 2);
	assert_int_equal(json_object_get_boolean(get(answer, "ready")), !*reason);
	assert_text(answer, "reason", reason);
	json_object_put(answer);
}

static void readiness_has_reasons(void **state)
{
	struct listen_config listen = {0};
	struct exit_config exits[2] = {{.state = exit_state_new()}, {.state = exit_state_new()}};
	struct config config = {.listen = &listen, .listen_count = 1, .exits = exits};
	static const char no_way[] = "no exit answers, and when-no-exit is refuse";
	static const char closed[] = "no interface has the address of a listener";

	(void)state;
	assert_int_equal(address_parse("127.0.0.1:1080", &listen.address), 0);
	assert_ready(&config, false, "");
	assert_ready(&config, true, "it takes no new sessions, and ends with the last one");
	listen.metrics = true;
	assert_ready(&config, false, closed);
	listen.metrics = false;
	assert_int_equal(address_parse("192.0.2.1:1080", &listen.address), 0);
	assert_ready(&config, false, closed);
	assert_int_equal(address_parse("127.0.0.1:1080", &listen.address), 0);
	config.exit_count = 2;
	config.when_no_exit = WHEN_NO_EXIT_REFUSE;
	assert_ready(&config, false, "");
	for (size_t i = 0; i < 2; i++) {
		assert_ready(&config, false, "");
		exit_state_failed(exits[i].state, CAUSE_CONNECT_TIMEOUT, 1, 1);
	}
	assert_ready(&config, false, no_way);
	config.when_no_exit = WHEN_NO_EXIT_DIRECT;
	assert_ready(&config, false, "");
	for (size_t i = 0; i < 2; i++)
		exit_state_put(exits[i].state);
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
		cmocka_unit_test(intercept_tells_what_rules_are_made_of),
		cmocka_unit_test(no_links_are_empty_lists),
		cmocka_unit_test(readiness_has_reasons),
		cmocka_unit_test(unknown_commands_are_refused),
	};

	int failed;

	sockmap = sockmap_open(&(struct sockmap_options){.off = true});
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	sockmap_close(sockmap);
	return failed;
}
