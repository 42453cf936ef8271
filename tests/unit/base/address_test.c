/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/address.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static union address address(const char *text)
{
	union address out;

	assert_int_equal(address_parse(text, &out), 0);
	return out;
}

static void addresses_parse_and_format(void **state)
{
	static const struct {
		const char *text, *formatted;
		int family;
	} cases[] = {
		{"127.0.0.1:1080", "127.0.0.1:1080", AF_INET},
		{"0.0.0.0:1", "0.0.0.0:1", AF_INET},
		{"255.255.255.255:65535", "255.255.255.255:65535", AF_INET},
		{"[::]:80", "[::]:80", AF_INET6},
		{"[2001:DB8:0::1]:443", "[2001:db8::1]:443", AF_INET6},
		{"[::ffff:192.0.2.7]:25", "192.0.2.7:25", AF_INET},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		union address parsed = address(cases[i].text);
		char text[ADDRESS_TEXT_MAX];

		assert_int_equal(parsed.sa.sa_family, cases[i].family);
		assert_int_equal(address_length(&parsed), cases[i].family == AF_INET
								  ? sizeof(struct sockaddr_in)
								  : sizeof(struct sockaddr_in6));
		assert_ptr_equal(address_format(&parsed, text), text);
		assert_string_equal(text, cases[i].formatted);
	}
}

static void malformed_addresses_do_not_parse(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		":80",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:0",
		"127.0.0.1:65536",
		"127.0.0.1:99999999999999999999",
		"127.0.0.1:+80",
		"127.0.0.1:-1",
		"127.0.0.1: 80",
		"127.0.0.1:80 ",
		"127.0.0.1:080",
		"127.0.0.1:0x50",
		"127.0.0.1:80:80",
		" 127.0.0.1:80",
		"127.0.0.01:80",
		"127.1:80",
		"256.0.0.1:80",
		"::1:80",
		"2001:db8::1:80",
		"[::1]",
		"[::1]80",
		"[::1]:",
		"[::1:80",
		"::1]:80",
		"[]:80",
		"[[::1]]:80",
		"[127.0.0.1]:80",
		"[localhost]:80",
		"[fe80::1%eth0]:80",
		"localhost:80",
	};
	union address out;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (address_parse(bad[i], &out) != -EINVAL)
			fail_msg("\"%s\" parsed", bad[i]);
}

static void no_address_formats_as_a_dash(void **state)
{
	const union address none = {.sa = {.sa_family = AF_UNSPEC}};
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_string_equal(address_format(&none, text), "-");
	assert_false(address_is_any(&none));
	assert_false(address_is_loopback(&none));
}

static void ports_are_set_in_both_families(void **state)
{
	union address v4 = address("192.0.2.1:80");
	union address v6 = address("[2001:db8::1]:80");

	(void)state;
	address_set_port(&v4, 443);
	address_set_port(&v6, 65535);
	assert_int_equal(address_port(&v4), 443);
	assert_int_equal(address_port(&v6), 65535);
	assert_int_equal(v4.in4.sin_port, htons(443));
	assert_int_equal(v6.in6.sin6_port, htons(65535));
}

static void bytes_become_addresses(void **state)
{
	static const uint8_t v4[] = {192, 0, 2, 1};
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	static const uint8_t mapped[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};
	char text[ADDRESS_TEXT_MAX];
	union address out;

	(void)state;
	address_from_bytes(&out, AF_INET, v4, 80);
	assert_string_equal(address_format(&out, text), "192.0.2.1:80");
	address_from_bytes(&out, AF_INET6, v6, 80);
	assert_string_equal(address_format(&out, text), "[2001:db8::1]:80");
	address_from_bytes(&out, AF_INET6, mapped, 80);
	assert_int_equal(out.sa.sa_family, AF_INET);
	assert_string_equal(address_format(&out, text), "192.0.2.1:80");
}

/* As accept() gives it on a dual-stack listener. */
static union address mapped_address(const uint8_t ip[4])
{
	union address out = {.in6 = {.sin6_family = AF_INET6}};

	out.in6.sin6_addr.s6_addr[10] = out.in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(out.in6.sin6_addr.s6_addr + 12, ip, 4);
	return out;
}

static void a_mapped_address_is_its_ipv4_address(void **state)
{
	union address mapped = mapped_address((const uint8_t[]){127, 0, 0, 1});
	union address any = mapped_address((const uint8_t[]){0, 0, 0, 0});
	union address plain = address("127.0.0.1:80");
	struct prefix prefix;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_true(address_is_loopback(&mapped));
	assert_true(address_is_any(&any));
	assert_true(address_same_ip(&mapped, &plain));
	assert_int_equal(prefix_parse("127.0.0.0/8", &prefix), 0);
	assert_true(prefix_contains(&prefix, &mapped));
	assert_int_equal(prefix_parse("::/0", &prefix), 0);
	assert_false(prefix_contains(&prefix, &mapped));
	assert_string_equal(address_format(&mapped, text), "127.0.0.1:0");
}

static void addresses_compare_without_port(void **state)
{
	union address a = address("192.0.2.1:80");
	union address b = address("192.0.2.1:81");
	union address c = address("192.0.2.2:80");
	union address d = address("[2001:db8::1]:80");
	union address e = address("[2001:db8::1]:81");
	union address f = address("[2001:db8::2]:80");

	(void)state;
	assert_true(address_same_ip(&a, &b));
	assert_false(address_same_ip(&a, &c));
	assert_false(address_same_ip(&a, &d));
	assert_true(address_same_ip(&d, &e));
	assert_false(address_same_ip(&d, &f));
}

static void loopback_and_any_are_known(void **state)
{
	static const struct {
		const char *text;
		bool loopback, any;
	} cases[] = {
		{"127.0.0.1:1", true, false},  {"127.255.255.255:1", true, false},
		{"[::1]:1", true, false},      {"126.255.255.255:1", false, false},
		{"128.0.0.1:1", false, false}, {"0.0.0.0:1", false, true},
		{"[::]:1", false, true},       {"0.0.0.1:1", false, false},
		{"[::2]:1", false, false},     {"[7f00::1]:1", false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		union address parsed = address(cases[i].text);

		assert_int_equal(address_is_loopback(&parsed), cases[i].loopback);
		assert_int_equal(address_is_any(&parsed), cases[i].any);
	}
}

static void prefixes_contain_their_addresses(void **state)
{
	static const struct {
		const char *prefix, *inside, *outside;
	} cases[] = {
		{"10.0.0.0/8", "10.255.255.255:1", "11.0.0.0:1"},
		{"10.0.0.0/9", "10.127.255.255:1", "10.128.0.0:1"},
		{"192.0.2.128/25", "192.0.2.129:1", "192.0.2.127:1"},
		{"192.0.2.4/30", "192.0.2.7:1", "192.0.2.8:1"},
		{"192.0.2.1/32", "192.0.2.1:1", "192.0.2.0:1"},
		{"192.0.2.1", "192.0.2.1:1", "192.0.2.3:1"},
		{"0.0.0.0/0", "255.255.255.255:1", "[::1]:1"},
		{"::/0", "[ffff::1]:1", "1.2.3.4:1"},
		{"2001:db8::/33", "[2001:db8:7fff::1]:1", "[2001:db8:8000::1]:1"},
		{"fe80::/10", "[febf::1]:1", "[fec0::1]:1"},
		{"::1/128", "[::1]:1", "[::]:1"},
		{"::1", "[::1]:1", "[::3]:1"},
		{"::ffff:10.0.0.0/104", "10.1.2.3:1", "11.1.2.3:1"},
		{"::ffff:0.0.0.0/96", "10.1.2.3:1", "[::1]:1"},
		{"::ffff:10.0.0.1", "10.0.0.1:1", "10.0.0.0:1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		union address inside = address(cases[i].inside);
		union address outside = address(cases[i].outside);
		struct prefix prefix;

		assert_int_equal(prefix_parse(cases[i].prefix, &prefix), 0);
		assert_true(prefix_contains(&prefix, &inside));
		assert_false(prefix_contains(&prefix, &outside));
	}
}

static void malformed_prefixes_do_not_parse(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/08",
		"10.0.0.0/8 ",
		"10.0.0.0/ 8",
		"10.0.0.0/8/8",
		"10.0.0.1/8",
		"10.0.0.0/6",
		"10.0/16",
		"010.0.0.0/8",
		"192.0.2.1/31",
		"::1/127",
		"::/129",
		"::ffff:10.0.0.0/95",
		"[::1]/128",
		"[::1]",
		"localhost",
		"10.0.0.0:80",
		"2001:db8::/28",
		" 10.0.0.0/8",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/8",
		"10.0.0.0/4294967304",
		"::ffff:0.0.0.0/90",
		"10.0.0.0/255.0.0.0",
	};
	struct prefix prefix;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (prefix_parse(bad[i], &prefix) != -EINVAL)
			fail_msg("\"%s\" parsed", bad[i]);
}

static void destinations_parse_and_format(void **state)
{
	static const struct {
		const char *text, *host, *formatted;
	} cases[] = {
		{"example.com:80", "example.com", "example.com:80"},
		{"example.com.:80", "example.com.", "example.com.:80"},
		{"a:1", "a", "a:1"},
		{"my_host-1:65535", "my_host-1", "my_host-1:65535"},
		{"xn--bcher-kva.example:80", "xn--bcher-kva.example", "xn--bcher-kva.example:80"},
		{"1.2.3.x4:80", "1.2.3.x4", "1.2.3.x4:80"},
		{"0x.example:80", "0x.example", "0x.example:80"},
		{"192.0.2.1:80", "", "192.0.2.1:80"},
		{"[2001:db8::1]:80", "", "[2001:db8::1]:80"},
		{"[::ffff:192.0.2.1]:80", "", "192.0.2.1:80"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct destination out;
		char text[DESTINATION_TEXT_MAX];

		assert_int_equal(destination_parse(cases[i].text, &out), 0);
		assert_string_equal(out.host, cases[i].host);
		assert_int_equal(address_port(&out.address), out.port);
		assert_int_equal(out.address.sa.sa_family == AF_UNSPEC, out.host[0] != '\0');
		assert_ptr_equal(destination_format(&out, text), text);
		assert_string_equal(text, cases[i].formatted);
	}
}

static void malformed_destinations_do_not_parse(void **state)
{
	static const char *const bad[] = {
		"",
		"example.com",
		":80",
		"example.com:",
		"example.com:0",
		"example.com:65536",
		"example.com:http",
		"example.com:80x",
		"exa mple.com:80",
		" example.com:80",
		"example.com :80",
		"example.com/:80",
		"user@example.com:80",
		"z\xc3\xbcrich.ch:80",
		"a,b:80",
		"a%b:80",
		"a\tb:80",
		"[example.com]:80",
		"[::1:80",
		"::1:80",
		"1.2.3:80",
		"0x7f.1:80",
		"2130706433:80",
		"1.2.3.4.:80",
		"1.2.3.256:80",
		"0x7f000001:80",
		"0x:80",
		"017700000001:80",
		".:80",
		"127.0.0.1.:80",
		"example.1:80",
		"a:b:80",
	};
	struct destination out;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (destination_parse(bad[i], &out) != -EINVAL)
			fail_msg("\"%s\" parsed", bad[i]);
}

static int from_host(const char *host, size_t len, uint16_t port)
{
	struct destination out;

	return destination_from_host(&out, host, len, port);
}

static void hosts_come_with_a_length(void **state)
{
	char longest[HOST_NAME_MAX_BYTES + 1];
	struct destination out;
	char text[DESTINATION_TEXT_MAX];

	(void)state;
	assert_int_equal(destination_from_host(&out, "example.comXXX", 11, 80), 0);
	assert_string_equal(out.host, "example.com");
	assert_int_equal(destination_from_host(&out, "::1", 3, 80), 0);
	assert_string_equal(destination_format(&out, text), "[::1]:80");
	assert_int_equal(destination_from_host(&out, "[::1]", 5, 80), 0);
	assert_string_equal(destination_format(&out, text), "[::1]:80");
	assert_int_equal(destination_from_host(&out, "::ffff:127.0.0.1", 16, 80), 0);
	assert_true(address_is_loopback(&out.address));

	memset(longest, 'a', sizeof(longest));
	assert_int_equal(destination_from_host(&out, longest, HOST_NAME_MAX_BYTES, 65535), 0);
	assert_int_equal(strlen(destination_format(&out, text)), DESTINATION_TEXT_MAX - 1);
	assert_int_equal(from_host(longest, HOST_NAME_MAX_BYTES + 1, 80), -EINVAL);

	assert_int_equal(from_host("example.com", 11, 0), -EINVAL);
	assert_int_equal(from_host("192.0.2.1", 9, 0), -EINVAL);
	assert_int_equal(from_host("", 0, 80), -EINVAL);
	assert_int_equal(from_host("[]", 2, 80), -EINVAL);
	assert_int_equal(from_host("[", 1, 80), -EINVAL);
	assert_int_equal(from_host("a\0b", 3, 80), -EINVAL);
	assert_int_equal(from_host("192.0.2.1\0", 10, 80), -EINVAL);
	assert_int_equal(from_host("\0", 1, 80), -EINVAL);
}

/* Every byte value inside a name: exactly the listed ones pass. */
static void only_host_name_bytes_pass(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		const char host[] = {'a', (char)byte, 'b'};
		bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
		bool good = letter || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' ||
			    byte == '.';

		assert_int_equal(from_host(host, sizeof(host), 80), good ? 0 : -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_parse_and_format),
		cmocka_unit_test(malformed_addresses_do_not_parse),
		cmocka_unit_test(no_address_formats_as_a_dash),
		cmocka_unit_test(ports_are_set_in_both_families),
		cmocka_unit_test(bytes_become_addresses),
		cmocka_unit_test(a_mapped_address_is_its_ipv4_address),
		cmocka_unit_test(addresses_compare_without_port),
		cmocka_unit_test(loopback_and_any_are_known),
		cmocka_unit_test(prefixes_contain_their_addresses),
		cmocka_unit_test(malformed_prefixes_do_not_parse),
		cmocka_unit_test(destinations_parse_and_format),
		cmocka_unit_test(malformed_destinations_do_not_parse),
		cmocka_unit_test(hosts_come_with_a_length),
		cmocka_unit_test(only_host_name_bytes_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
