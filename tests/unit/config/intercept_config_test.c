/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transparent listeners and the section "intercept": what is taken, and what is said of the rest.
 */
#include "config_fixture.h"

static const char file[] = "listen \"a\" { address = \"127.0.0.1:1090\"  transparent = on }\n"
			   "listen \"b\" { address = \"127.0.0.1:1080\"  transparent = off }\n"
			   "intercept {\n"
			   "	method = redirect\n"
			   "	lan = { br-lan, \"wlan0.7\" }\n"
			   "	bypass-destination = { 10.0.0.0/8, fd00::/8 }\n"
			   "	bypass-source = { 192.168.1.7 }\n"
			   "	bypass-port = { 25, 6000-6063 }\n"
			   "	bypass-mac = { 00:16:3e:0A:0b:0c }\n"
			   "	bypass-domain = { Example.ORG, bank.test. }\n"
			   "}\n";

static void test_file(void **state)
{
	static const struct mac mac = {{0x00, 0x16, 0x3e, 0x0a, 0x0b, 0x0c}};
	struct config *config = load_text(file);
	const struct intercept_config *intercept;
	char text[PREFIX_TEXT_MAX];

	(void)state;
	assert_non_null(config);
	assert_string_equal(config_listen_kind(&config->listen[0]), "transparent");
	assert_string_equal(config_listen_kind(&config->listen[1]), "socks");
	intercept = &config->intercept;
	assert_int_equal(intercept->method, INTERCEPT_REDIRECT);
	assert_int_equal(intercept->lan_count, 2);
	assert_string_equal(intercept->lan[0].name, "br-lan");
	assert_string_equal(intercept->lan[1].name, "wlan0.7");
	assert_int_equal(intercept->bypass_destination_count, 2);
	assert_string_equal(prefix_format(&intercept->bypass_destination[0], text), "10.0.0.0/8");
	assert_string_equal(prefix_format(&intercept->bypass_destination[1], text), "fd00::/8");
	assert_int_equal(intercept->bypass_source_count, 1);
	assert_string_equal(prefix_format(&intercept->bypass_source[0], text), "192.168.1.7/32");
	assert_int_equal(intercept->bypass_port_count, 2);
	assert_int_equal(intercept->bypass_port[0].first, 25);
	assert_int_equal(intercept->bypass_port[0].last, 25);
	assert_int_equal(intercept->bypass_port[1].first, 6000);
	assert_int_equal(intercept->bypass_port[1].last, 6063);
	assert_int_equal(intercept->bypass_mac_count, 1);
	assert_memory_equal(&intercept->bypass_mac[0], &mac, sizeof(mac));
	assert_int_equal(intercept->bypass_domain_count, 2);
	assert_string_equal(intercept->bypass_domain[0].name, "example.org");
	assert_string_equal(intercept->bypass_domain[1].name, "bank.test");
	config_put(config);
}

static void test_domains(void **state)
{
	static const struct {
		const char *name;
		bool bypassed;
	} cases[] = {
		{"example.org", true},
		{"www.example.org", true},
		{"EXAMPLE.org.", true},
		{"a.b.Example.Org", true},
		{"bank.test", true},
		{"myexample.org", false},
		{"example.org.uk", false},
		{"org", false},
		{"", false},
		{".", false},
	};
	struct config *config = load_text(file);

	(void)state;
	assert_non_null(config);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (intercept_config_bypasses(&config->intercept, cases[i].name) !=
		    cases[i].bypassed)
			fail_msg("%s", cases[i].name);
	config_put(config);
}

/* Options add to the file's lists, and replace its method. */
static void test_options(void **state)
{
	struct config *config;

	(void)state;
	write_conf(file);
	config = load("-c", fixture_conf, "--transparent-source", "yes", "--auto-bypass", "yes",
		      "--prefer-name", "yes", "--transparent", "[::]:1090", "--intercept", "tproxy",
		      "--lan", "eth1", "--bypass-destination", "::1", "--bypass-source",
		      "fd01::/16", "--bypass-port", "1-65535", "--bypass-domain", "test",
		      "--bypass-mac", "ff:ff:ff:ff:ff:ff");
	assert_non_null(config);
	assert_true(config->listen[2].transparent);
	assert_true(config->intercept.transparent_source);
	assert_true(config->intercept.auto_bypass);
	assert_true(config->intercept.prefer_name);
	assert_int_equal(config->intercept.method, INTERCEPT_TPROXY);
	assert_int_equal(config->intercept.lan_count, 3);
	assert_int_equal(config->intercept.bypass_destination_count, 3);
	assert_int_equal(config->intercept.bypass_source_count, 2);
	assert_int_equal(config->intercept.bypass_port_count, 3);
	assert_int_equal(config->intercept.bypass_mac_count, 2);
	config_put(config);
}

static void test_defaults(void **state)
{
	struct config *config = load("--socks", "127.0.0.1:1080");

	(void)state;
	assert_false(config->listen[0].transparent);
	assert_int_equal(config->intercept.method, INTERCEPT_TPROXY);
	assert_int_equal(config->intercept.lan_count, 0);
	assert_false(config->intercept.transparent_source);
	assert_false(config->intercept.auto_bypass);
	assert_false(config->intercept.prefer_name);
	config_put(config);
}

/* Nobody can use it as a proxy by dialling it, so it needs no users or ranges. */
static void test_transparent_may_be_anywhere(void **state)
{
	struct config *config = load("--transparent", "0.0.0.0:1090", "--transparent", "[::]:1090");

	(void)state;
	assert_non_null(config);
	assert_int_equal(config->listen_count, 2);
	config_put(config);
}

static void test_errors(void **state)
{
	static const struct {
		const char *option;
		const char *value;
		const char *expected;
	} errors[] = {
		{"--transparent", "1090", "ADDR:PORT"},
		{"--transparent", "example.org:1090", "ADDR:PORT"},
		{"--intercept", "iptables", "expected tproxy, redirect or bpf"},
		{"--lan", "", "1 to 15"},
		{"--lan", "abcdefghijklmnop", "1 to 15"},
		{"--lan", "a\"b", "a-z A-Z"},
		{"--lan", "eth*", "a-z A-Z"},
		{"--lan", "..", "a-z A-Z"},
		{"--bypass-destination", "10.0.0.1/8", "ADDR/BITS"},
		{"--bypass-destination", "example.org", "ADDR/BITS"},
		{"--bypass-source", "10.0.0.0/33", "ADDR/BITS"},
		{"--bypass-port", "0", "1 to 65535"},
		{"--bypass-port", "65536", "1 to 65535"},
		{"--bypass-port", "100000", "1 to 65535"},
		{"--bypass-port", "20-10", "1 to 65535"},
		{"--bypass-port", "10-", "1 to 65535"},
		{"--bypass-port", "-10", "1 to 65535"},
		{"--bypass-port", "10-20-30", "1 to 65535"},
		{"--bypass-port", "http", "1 to 65535"},
		{"--bypass-mac", "00:16:3e:0a:0b", "six bytes"},
		{"--bypass-mac", "00:16:3e:0a:0b:0", "six bytes"},
		{"--bypass-mac", "00:16:3e:0a:0b:0g", "six bytes"},
		{"--bypass-mac", "00:16:3e:0a:0b:0c:0d", "six bytes"},
		{"--bypass-mac", "0:016:3e:0a:0b:0c", "six bytes"},
		{"--auto-bypass", "true", "expected on, off, yes or no"},
		{"--transparent-source", "", "expected on, off, yes or no"},
		{"--prefer-name", "maybe", "expected on, off, yes or no"},
		{"--bypass-domain", ".example.org", "example.org"},
		{"--bypass-domain", "*.example.org", "example.org"},
		{"--bypass-domain", "192.0.2.1", "example.org"},
		{"--bypass-domain", "[::1]", "example.org"},
		{"--bypass-domain", ".", "example.org"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		if (load(errors[i].option, errors[i].value))
			fail_msg("%s %s is taken", errors[i].option, errors[i].value);
		assert_contains(fixture_log, errors[i].option);
		assert_contains(fixture_log, errors[i].value);
		assert_contains(fixture_log, errors[i].expected);
		assert_one_line(fixture_log);
	}
}

static void test_file_errors(void **state)
{
	static const struct {
		const char *text;
		const char *place;
		const char *expected;
	} errors[] = {
		{"listen \"a\" { address = \"[::1]:1\"\n transparent = on\n to = \"h:1\" }\n",
		 ":3:", "to, tokens or transparent, one of them"},
		{"listen \"a\" { address = \"[::1]:1\"\n transparent = maybe }\n",
		 ":2:", "on, off"},
		{"intercept {\n wan = eth0\n}\n", ":2:", "lan = {...}"},
		{"intercept {\n method = tproxy\n method = redirect\n}\n", ":3:", "once"},
		{"intercept {\n bypass-port = { 22, ssh }\n}\n", ":2:", "1 to 65535"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		if (load_text(errors[i].text))
			fail_msg("taken: %s", errors[i].text);
		assert_contains(fixture_log, errors[i].place);
		assert_contains(fixture_log, errors[i].expected);
		assert_one_line(fixture_log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file),	TEST(test_options),
		TEST(test_defaults),	TEST(test_transparent_may_be_anywhere),
		TEST(test_domains),	TEST(test_errors),
		TEST(test_file_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
