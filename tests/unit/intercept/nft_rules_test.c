/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules for nft, and what is read of what nft lists. That the kernel takes them, and what they
 * do, is for tests/net. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "intercept/nft_rules.h"
#include "intercept/nft_state.h"

static const char bypass[] = "{\"destination\": [\"10.0.0.0/8\", \"fd00::/8\", \"192.0.2.1/32\"],"
			     " \"source\": [\"fd01::7/128\"], \"port\": [\"25\", \"6000-6063\"],"
			     " \"mac\": [\"00:16:3e:0a:0b:0c\"]}";

static char *rules(enum intercept_method method, const char *v4, const char *v6)
{
	struct intercept_plan plan = {.method = method,
				      .lan = json_tokener_parse("[\"br-lan\", \"wlan0\"]"),
				      .bypass = json_tokener_parse(bypass)};
	char *text;

	if (v4)
		assert_int_equal(address_parse(v4, &plan.listener[INTERCEPT_IPV4]), 0);
	if (v6)
		assert_int_equal(address_parse(v6, &plan.listener[INTERCEPT_IPV6]), 0);
	text = nft_rules_text(&plan);
	assert_non_null(text);
	json_object_put(plan.lan);
	json_object_put(plan.bypass);
	return text;
}

static void assert_part(const char *text, const char *part, bool expected)
{
	if ((strstr(text, part) != NULL) != expected)
		fail_msg("%s \"%s\" in:\n%s", expected ? "no" : "there is", part, text);
}

#define ASSERT_HAS(text, part)	 assert_part(text, part, true)
#define ASSERT_LACKS(text, part) assert_part(text, part, false)

static void tproxy_goes_to_the_listeners(void **state)
{
	char *text = rules(INTERCEPT_TPROXY, "127.0.0.1:1090", "[::]:1091");

	(void)state;
	ASSERT_HAS(text, "tproxy ip to 127.0.0.1:1090 ");
	ASSERT_HAS(text, "tproxy ip6 to :1091 ");
	ASSERT_LACKS(text, "type nat");
	ASSERT_HAS(text, "meta nfproto @ready goto first");
	ASSERT_LACKS(text, "alive");
	free(text);
}

static void redirect_asks_whether_hawserd_lives(void **state)
{
	char *text = rules(INTERCEPT_REDIRECT, "0.0.0.0:1090", "[fd77::1]:1091");

	(void)state;
	ASSERT_HAS(text, "redirect to :1090\n");
	ASSERT_HAS(text, "dnat ip6 to [fd77::1]:1091\n");
	ASSERT_HAS(text, "meta nfproto != @alive");
	ASSERT_HAS(text, "tcp option mptcp exists");
	ASSERT_LACKS(text, "tproxy");
	free(text);
}

static void a_family_without_listener_is_left_alone(void **state)
{
	char *text = rules(INTERCEPT_TPROXY, NULL, "[::1]:1090");

	(void)state;
	ASSERT_LACKS(text, "tproxy ip to");
	ASSERT_HAS(text, "tproxy ip6 to [::1]:1090");
	free(text);
}

static void sets_have_what_is_bypassed(void **state)
{
	char *text = rules(INTERCEPT_TPROXY, "127.0.0.1:1090", NULL);

	(void)state;
	ASSERT_HAS(text, "elements = { \"br-lan\", \"wlan0\" }");
	ASSERT_HAS(text, "elements = { 10.0.0.0/8, 192.0.2.1/32 }");
	ASSERT_HAS(text, "elements = { fd00::/8 }");
	ASSERT_HAS(text, "elements = { fd01::7/128 }");
	ASSERT_HAS(text, "elements = { 25, 6000-6063 }");
	ASSERT_HAS(text, "elements = { 00:16:3e:0a:0b:0c }");
	ASSERT_HAS(text, "fib daddr oifname \"wlan0\"");
	free(text);
}

static void first_packets_are_held_where_they_can_be(void **state)
{
	struct intercept_plan plan = {.method = INTERCEPT_TPROXY,
				      .lan = json_tokener_parse("[\"lan\"]"),
				      .hold = true,
				      .needs_route = true};
	char *text;

	(void)state;
	assert_int_equal(address_parse("127.0.0.1:1090", &plan.listener[INTERCEPT_IPV4]), 0);
	text = nft_rules_text(&plan);
	assert_non_null(text);
	ASSERT_HAS(text, "set holding {");
	/* Only while there is a listener. */
	ASSERT_HAS(text, "tproxy ip to 127.0.0.1:1090 counter name held log group 684 drop");
	ASSERT_LACKS(text, "tproxy ip6");
	ASSERT_HAS(text, "tcp option mptcp subtype 1 goto take");
	ASSERT_HAS(text, "iifname \"lo\" meta mark & 0x1000000 != 0 ");
	ASSERT_HAS(text, " jump take\n");
	ASSERT_HAS(text, "fib daddr oif missing counter name unroutable return");
	free(text);
	plan.hold = plan.needs_route = false;
	text = nft_rules_text(&plan);
	assert_non_null(text);
	ASSERT_LACKS(text, "held");
	ASSERT_LACKS(text, "holding");
	ASSERT_LACKS(text, "type nat");
	ASSERT_LACKS(text, "oif missing");
	free(text);
	json_object_put(plan.lan);
}

static void auto_bypass_lets_some_through(void **state)
{
	struct intercept_plan plan = {.method = INTERCEPT_TPROXY,
				      .lan = json_tokener_parse("[\"lan\"]"),
				      .auto_bypass = 32};
	char *text = nft_rules_text(&plan);

	(void)state;
	assert_non_null(text);
	ASSERT_HAS(text, "ip daddr . tcp dport @auto_bypass4 numgen random mod 32 != 0 ");
	ASSERT_HAS(text, "ip6 daddr . tcp dport @auto_bypass6 numgen random mod 32 != 0 ");
	free(text);
	plan.auto_bypass = 0;
	text = nft_rules_text(&plan);
	assert_non_null(text);
	ASSERT_LACKS(text, "auto_bypass");
	free(text);
	json_object_put(plan.lan);
}

static void a_table_in_force_is_changed(void **state)
{
	struct intercept_plan plan = {.method = INTERCEPT_TPROXY,
				      .lan = json_tokener_parse("[\"lan\"]"),
				      .hold = true,
				      .auto_bypass = 32};
	char *text = nft_rules_change(&plan);

	(void)state;
	assert_non_null(text);
	ASSERT_HAS(text, "flush table inet hawser\nflush set inet hawser lan\n");
	ASSERT_HAS(text, "flush set inet hawser bypass_mac\n");
	ASSERT_LACKS(text, "delete table");
	ASSERT_LACKS(text, "flush set inet hawser ready");
	/* What it uses stays, with its elements. */
	ASSERT_LACKS(text, "delete set");
	ASSERT_LACKS(text, "delete chain");
	ASSERT_HAS(text, "delete counter inet hawser unroutable\n");
	free(text);
	plan.hold = false;
	plan.auto_bypass = 0;
	text = nft_rules_change(&plan);
	assert_non_null(text);
	ASSERT_HAS(text, "delete set inet hawser holding\n");
	ASSERT_HAS(text, "delete set inet hawser auto_bypass6\n");
	ASSERT_HAS(text, "delete chain inet hawser postrouting\n");
	free(text);
	json_object_put(plan.lan);
}

static void assert_json(struct json_object *object, const char *key, const char *expected)
{
	struct json_object *value = NULL;

	assert_true(json_object_object_get_ex(object, key, &value));
	assert_string_equal(json_object_to_json_string_ext(
				    value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    expected);
}

static void no_table_is_down(void **state)
{
	struct json_object *read = intercept_state(NULL);

	(void)state;
	assert_json(read, "up", "false");
	json_object_put(read);
}

static void a_listing_is_understood(void **state)
{
	static const char listing[] =
		"{\"nftables\": [{\"metainfo\": {\"version\": \"1.0.6\"}},"
		"{\"table\": {\"family\": \"inet\", \"name\": \"hawser\", \"handle\": 2}},"
		"{\"counter\": {\"name\": \"caught\", \"packets\": 12, \"bytes\": 720}},"
		"{\"set\": {\"name\": \"lan\", \"type\": \"ifname\", \"elem\": [\"lan\"]}},"
		"{\"set\": {\"name\": \"bypass_destination4\", \"elem\":"
		" [{\"prefix\": {\"addr\": \"10.0.0.0\", \"len\": 8}}, \"192.0.2.1\"]}},"
		"{\"set\": {\"name\": \"bypass_destination6\", \"elem\":"
		" [{\"prefix\": {\"addr\": \"fd00::\", \"len\": 8}}]}},"
		"{\"set\": {\"name\": \"bypass_port\", \"elem\": [25, {\"range\": [6000, 6063]}]}},"
		"{\"set\": {\"name\": \"bypass_mac\"}},"
		"{\"set\": {\"name\": \"auto_bypass4\", \"elem\": [{\"elem\": {\"val\": "
		"{\"concat\":"
		" [\"192.0.2.1\", 80]}, \"timeout\": 3600, \"expires\": 3599}}]}},"
		"{\"set\": {\"name\": \"auto_bypass6\", \"elem\": [{\"elem\": {\"val\": "
		"{\"concat\":"
		" [\"2001:db8::1\", 443]}, \"timeout\": 3600, \"expires\": 7}}]}},"
		"{\"chain\": {\"name\": \"first\"}},"
		"{\"chain\": {\"name\": \"prerouting\", \"type\": \"nat\", \"hook\": "
		"\"prerouting\"}},"
		"{\"rule\": {\"chain\": \"first\", \"expr\": []}}]}";
	struct json_object *read = intercept_state(listing);
	struct json_object *part = NULL;

	(void)state;
	assert_non_null(read);
	assert_json(read, "up", "true");
	assert_json(read, "method", "\"redirect\"");
	assert_json(read, "lan", "[\"lan\"]");
	assert_json(read, "counters", "{\"caught\":12}");
	assert_json(read, "auto_bypass",
		    "[{\"destination\":\"192.0.2.1:80\",\"expires_s\":3599},"
		    "{\"destination\":\"[2001:db8::1]:443\",\"expires_s\":7}]");
	assert_true(json_object_object_get_ex(read, "bypass", &part));
	assert_json(part, "destination", "[\"10.0.0.0/8\",\"192.0.2.1\",\"fd00::/8\"]");
	assert_json(part, "port", "[\"25\",\"6000-6063\"]");
	assert_json(part, "mac", "[]");
	json_object_put(read);
}

static void other_text_is_no_listing(void **state)
{
	(void)state;
	assert_null(intercept_state("table inet hawser { }"));
	assert_null(intercept_state("{}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tproxy_goes_to_the_listeners),
		cmocka_unit_test(redirect_asks_whether_hawserd_lives),
		cmocka_unit_test(a_family_without_listener_is_left_alone),
		cmocka_unit_test(sets_have_what_is_bypassed),
		cmocka_unit_test(first_packets_are_held_where_they_can_be),
		cmocka_unit_test(auto_bypass_lets_some_through),
		cmocka_unit_test(a_table_in_force_is_changed),
		cmocka_unit_test(no_table_is_down),
		cmocka_unit_test(a_listing_is_understood),
		cmocka_unit_test(other_text_is_no_listing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
