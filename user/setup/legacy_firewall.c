/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setup/legacy_firewall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text_file.h"
#include "setup/system_file.h"

static const struct family {
	const char *program;
	const char *tables; /* that have been used since the kernel was started */
} families[] = {
	{"iptables-legacy", "/proc/net/ip_tables_names"},
	{"ip6tables-legacy", "/proc/net/ip6_tables_names"},
};
#define FAMILY_COUNT (sizeof(families) / sizeof(*families))

static bool has(const char *line, size_t len, const char *words)
{
	return memmem(line, len, words, strlen(words)) != NULL;
}

/* A rule that drops, but not who comes to INPUT from any address by TCP with a first packet. */
static bool is_for_others(const char *line, size_t len)
{
	static const char *const words[] = {" -s ",	  " -o ",	    "-A FORWARD ",
					    "-A OUTPUT ", "state INVALID ", "-p udp ",
					    "-p icmp ",	  "-p ipv6-icmp "};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (has(line, len, words[i]))
			return true;
	return false;
}

static bool is_for_other_port(const char *line, size_t len, unsigned int port)
{
	const char *at = memmem(line, len, " --dport ", strlen(" --dport "));
	char *end = NULL;

	return at && strtoul(at + strlen(" --dport "), &end, 10) != port && *end == ' ' &&
	       !has(line, len, " ! --dport ");
}

bool legacy_firewall_drops(const char *rules, unsigned int port)
{
	char open[64];

	snprintf(open, sizeof(open), "-A INPUT -p tcp -m tcp --dport %u -j ACCEPT\n", port);
	if (strstr(rules, open))
		return false;
	for (const char *line = rules; *line; line += strspn(line, "\n")) {
		const size_t len = strcspn(line, "\n");

		if (has(line, len, "-P INPUT DROP"))
			return true;
		if ((has(line, len, " -j DROP") || has(line, len, " -j REJECT")) &&
		    !is_for_others(line, len) && !is_for_other_port(line, len, port))
			return true;
		line += len;
	}
	return false;
}

/* To ask the program makes the table, so it is not asked where there is none. */
static bool is_used(const struct family *family)
{
	size_t len;
	char *names = text_file_read(family->tables, 4096, &len);
	const bool used = names && strstr(names, "filter\n");

	free(names);
	return used;
}

static bool closes(const struct family *family, unsigned int port)
{
	const char *const list[] = {family->program, "-S", NULL};
	char rules[16384];

	return is_used(family) && system_run(list, rules, sizeof(rules)) == 0 &&
	       legacy_firewall_drops(rules, port);
}

bool legacy_firewall_closes(unsigned int port, char *command, size_t size)
{
	size_t len = 0;

	*command = '\0';
	for (size_t i = 0; i < FAMILY_COUNT; i++) {
		if (!closes(&families[i], port))
			continue;
		len += (size_t)snprintf(command + len, size - len,
					"%s%s -I INPUT -p tcp --dport %u -j ACCEPT",
					len ? " && " : "", families[i].program, port);
	}
	return len > 0;
}
