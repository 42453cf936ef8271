/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of sessions, all of them and each. */
#include "report_fixture.h"

static void sessions_are_complete_and_sorted(void **state)
{
	struct session_row first_rows[] = {
		{.id = 9, .state = "handshake", .up = {.tier = "-"}, .down = {.tier = "-"}},
		{.id = 3, .state = "resolving", .up = {.tier = "-"}, .down = {.tier = "-"}},
	};
	struct session_row second_rows[] = {
		{
			.id = 4,
			.user = "alice",
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
	assert_members(row, 19);
	assert_count(row, "id", 4);
	assert_text(row, "user", "alice");
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
			       .exits = 7,
			       .packets = 8},
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
	assert_members(row, 13);
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
	assert_count(row, "packets", 8);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_are_complete_and_sorted),
		cmocka_unit_test(flows_are_complete_and_sorted),
		cmocka_unit_test(no_sessions_is_an_empty_list),
		cmocka_unit_test(one_session_with_its_subflows),
	};

	int failed;

	sockmap = sockmap_open(&(struct sockmap_options){.off = true});
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	sockmap_close(sockmap);
	return failed;
}
