/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cause.h"

static void every_cause_is_described(void **state)
{
	(void)state;
	for (int i = 0; i < CAUSE_COUNT; i++) {
		const struct cause_info *info = cause_info((enum cause)i);

		assert_non_null(info->name);
		assert_non_null(info->text);
		assert_true(strspn(info->name, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
			    strlen(info->name));
		assert_true((info->socks5_reply == 0) == (i == CAUSE_NONE));
		assert_true(info->socks5_reply <= 8);
		assert_true((info->http_status == 200) == (i == CAUSE_NONE));
		assert_true(i == CAUSE_NONE ||
			    (info->http_status >= 400 && info->http_status < 600));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(info->name, cause_info((enum cause)j)->name);
	}
}

static void replies_follow_the_standards(void **state)
{
	static const struct {
		enum cause cause;
		uint8_t socks5_reply;
		uint16_t http_status;
	} cases[] = {
		{CAUSE_REFUSED, 5, 502},
		{CAUSE_NETWORK_UNREACHABLE, 3, 502},
		{CAUSE_HOST_UNREACHABLE, 4, 502},
		{CAUSE_CONNECT_TIMEOUT, 6, 504},
		{CAUSE_NOT_ALLOWED, 2, 403},
		{CAUSE_AUTH_FAILED, 1, 407},
		{CAUSE_NAME_NOT_FOUND, 4, 502},
		{CAUSE_RESOLVE_FAILED, 4, 502},
		{CAUSE_NO_ORIGINAL, 1, 502},
		{CAUSE_NOT_MPTCP, 1, 502},
		{CAUSE_COMMAND_NOT_SUPPORTED, 7, 501},
		{CAUSE_ADDRESS_TYPE_NOT_SUPPORTED, 8, 400},
		{CAUSE_BAD_REQUEST, 1, 400},
		{CAUSE_HANDSHAKE_TIMEOUT, 1, 408},
		{CAUSE_RESET, 1, 502},
		{CAUSE_RESOURCES, 1, 503},
		{CAUSE_STOPPED, 1, 503},
		{CAUSE_OTHER, 1, 502},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cause_info(cases[i].cause)->socks5_reply, cases[i].socks5_reply);
		assert_int_equal(cause_info(cases[i].cause)->http_status, cases[i].http_status);
	}
}

static void errno_maps_to_a_cause(void **state)
{
	static const struct {
		int err;
		enum cause cause;
	} cases[] = {
		{ECONNREFUSED, CAUSE_REFUSED},
		{ENETUNREACH, CAUSE_NETWORK_UNREACHABLE},
		{ENETDOWN, CAUSE_NETWORK_UNREACHABLE},
		{EADDRNOTAVAIL, CAUSE_NETWORK_UNREACHABLE},
		{EAFNOSUPPORT, CAUSE_NETWORK_UNREACHABLE},
		{EHOSTUNREACH, CAUSE_HOST_UNREACHABLE},
		{EHOSTDOWN, CAUSE_HOST_UNREACHABLE},
		{ETIMEDOUT, CAUSE_CONNECT_TIMEOUT},
		{EACCES, CAUSE_NOT_ALLOWED},
		{EPERM, CAUSE_NOT_ALLOWED},
		{ECONNRESET, CAUSE_RESET},
		{ECONNABORTED, CAUSE_RESET},
		{EPIPE, CAUSE_RESET},
		{EMFILE, CAUSE_RESOURCES},
		{ENFILE, CAUSE_RESOURCES},
		{ENOMEM, CAUSE_RESOURCES},
		{ENOBUFS, CAUSE_RESOURCES},
		{EINVAL, CAUSE_OTHER},
		{99999, CAUSE_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(cause_from_errno(cases[i].err), cases[i].cause);
}

/* An exit's reply is handed on as it is. */
static void socks5_replies_map_to_a_cause_of_the_same_reply(void **state)
{
	(void)state;
	for (unsigned int code = 0; code < 256; code++)
		assert_int_equal(cause_info(cause_from_socks5_reply((uint8_t)code))->socks5_reply,
				 code <= 8 ? code : 1);
}

/* Happy eyeballs: "IPv6 unreachable, IPv4 refused" was refused. */
static void the_most_telling_attempt_ranks_highest(void **state)
{
	static const enum cause falling[] = {
		CAUSE_REFUSED,	      CAUSE_CONNECT_TIMEOUT,  CAUSE_NOT_MPTCP,
		CAUSE_RESET,	      CAUSE_HOST_UNREACHABLE, CAUSE_NETWORK_UNREACHABLE,
		CAUSE_NOT_ALLOWED,    CAUSE_RESOURCES,	      CAUSE_OTHER,
		CAUSE_RESOLVE_FAILED, CAUSE_NAME_NOT_FOUND,   CAUSE_NONE,
	};

	(void)state;
	for (size_t i = 1; i < sizeof(falling) / sizeof(falling[0]); i++)
		assert_true(cause_info(falling[i - 1])->rank > cause_info(falling[i])->rank);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cause_is_described),
		cmocka_unit_test(replies_follow_the_standards),
		cmocka_unit_test(errno_maps_to_a_cause),
		cmocka_unit_test(socks5_replies_map_to_a_cause_of_the_same_reply),
		cmocka_unit_test(the_most_telling_attempt_ranks_highest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
