/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which chains a file for `nft -f` makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "setup/firewall_file.h"

static void makes(const char *file, const char *chain, bool expected)
{
	if (firewall_file_has_chain(file, chain) != expected)
		fail_msg("%s: %s", chain, file);
}

static void chains_are_found(void **state)
{
	(void)state;
	makes("flush ruleset\n\ntable inet filter {\n\tset s { type inet_service; }\n"
	      "\tchain input {\n\t\ttype filter hook input priority filter;\n\t}\n}\n",
	      "inet filter input", true);
	makes("table inet filter{chain forward{}chain input{}}", "inet filter input", true);
	makes("add table inet filter\nadd chain inet filter input { policy drop; }\n",
	      "inet filter input", true);
	makes("table filter {\n chain INPUT {\n", "ip filter INPUT", true);
	makes("create chain filter INPUT", "ip filter INPUT", true);
	makes("table inet a { chain x { } }\ntable inet b { chain y { } }", "inet b y", true);
}

static void others_are_not(void **state)
{
	(void)state;
	makes("", "inet filter input", false);
	makes("include \"/etc/nftables.d/*.nft\"\n", "inet filter input", false);
	makes("# table inet filter { chain input { } }\n", "inet filter input", false);
	makes("table inet filter { # chain input {\n}\n", "inet filter input", false);
	makes("table inet filter {\n\tchain input2 {\n", "inet filter input", false);
	makes("table ip filter {\n\tchain input {\n", "inet filter input", false);
	makes("table inet a { chain x { } }\ntable inet b { chain y { } }", "inet a y", false);
	makes("delete table inet filter\ndelete chain inet filter input\n", "inet filter input",
	      false);
	makes("table inet filter {\n\tchain other {\n\t\tjump input\n", "inet filter input", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_found),
		cmocka_unit_test(others_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
