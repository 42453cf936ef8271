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

/* Loops there are none; some hundred are many. */
#define WALKED_CHAINS_MAX 1000

/* What matters here of a line of `iptables-legacy -S`. */
struct rule {
	const char *target; /* may be a chain */
	bool is_goto;
	bool fits;   /* a first packet by TCP to the port */
	bool narrow; /* but not everybody's, or not always */
	bool named;  /* but only of sources that it names, or on its way out */
};

/* The way of such a packet. */
struct walk {
	const char *rules;
	unsigned int port;
	unsigned int chains; /* walked so far */
};

enum verdict { VERDICT_NONE, VERDICT_LET_IN, VERDICT_DROPPED };

static bool is(const char *word, const char *other)
{
	return strcmp(word, other) == 0;
}

static bool is_among(const char *word, const char *const *words)
{
	while (*words && !is(word, *words))
		words++;
	return *words;
}

/* "22", "1000:2000", "22,1080". */
static bool has_port(const char *list, unsigned int port)
{
	while (*list) {
		char *end;
		const unsigned long first = strtoul(list, &end, 10);
		const unsigned long last = *end == ':' ? strtoul(end + 1, &end, 10) : first;

		if (port >= first && port <= last)
			return true;
		list = end + (*end == ',');
		if (*end && *end != ',')
			return false;
	}
	return false;
}

/* Of a line, which is cut; a text in quotes may be in pieces, which are no options. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " ");
	char *end = *word == '"' ? strchr(word + 1, '"') : word;

	end = end ? end + strcspn(end, " ") : word + strlen(word);
	*line = *end ? end + 1 : end;
	*end = '\0';
	return *word ? word : NULL;
}

static void read_option(struct rule *rule, const char *word, const char *value, bool negated,
			unsigned int port)
{
	static const char *const harmless[] = {"tcp",	"multiport", "conntrack",
					       "state", "comment",   NULL};
	static const char *const ports[] = {"--dport", "--dports", NULL};
	static const char *const states[] = {"--state", "--ctstate", NULL};
	static const char *const others[] = {"-s", "-o", NULL};

	if (is(word, "-p"))
		rule->fits &= is(value, "tcp") != negated;
	else if (is_among(word, ports))
		rule->fits &= has_port(value, port) != negated;
	else if (is_among(word, states))
		rule->fits &= (strstr(value, "NEW") != NULL) != negated;
	else if (is(word, "-j") || is(word, "-g"))
		rule->target = value;
	else if (is(word, "-m"))
		rule->narrow |= !is_among(value, harmless);
	else if (!is(word, "--comment"))
		rule->narrow = true;
	rule->is_goto |= is(word, "-g");
	rule->named |= is_among(word, others) && !negated;
}

/* line: what follows "-A CHAIN". */
static struct rule read_rule(char *line, unsigned int port)
{
	static const char *const with_value[] = {
		"-p", "-s",	 "-d",	     "-i",	"-o",	     "-m",	  "-j",
		"-g", "--dport", "--dports", "--state", "--ctstate", "--comment", NULL};
	struct rule rule = {.target = "", .fits = true};
	bool negated = false;
	const char *word;

	while (!*rule.target && (word = next_word(&line))) {
		const char *value = is_among(word, with_value) ? next_word(&line) : NULL;

		if (*word == '-')
			read_option(&rule, word, value ? value : "", negated, port);
		negated = is(word, "!");
	}
	return rule;
}

static enum verdict walk_chain(struct walk *walk, const char *chain, struct rule by);

/* by: how the chain is reached. */
static enum verdict judge(struct walk *walk, const struct rule *rule, const struct rule *by)
{
	const struct rule both = {.narrow = rule->narrow || by->narrow,
				  .named = rule->named || by->named};

	if (is(rule->target, "DROP") || is(rule->target, "REJECT"))
		return both.named ? VERDICT_NONE : VERDICT_DROPPED;
	if (is(rule->target, "ACCEPT"))
		return both.narrow ? VERDICT_NONE : VERDICT_LET_IN;
	return walk_chain(walk, rule->target, both);
}

/* Rule after rule. What cannot be read to its end may drop. */
static enum verdict walk_chain(struct walk *walk, const char *chain, struct rule by)
{
	const char *rules = walk->rules;
	enum verdict verdict = VERDICT_NONE;
	bool is_left = false;
	char start[64];
	const size_t start_len = (size_t)snprintf(start, sizeof(start), "-A %s ", chain);

	if (walk->chains++ == WALKED_CHAINS_MAX)
		return VERDICT_DROPPED;
	while (*rules && verdict == VERDICT_NONE && !is_left) {
		const size_t len = strcspn(rules, "\n");

		if (strncmp(rules, start, start_len) == 0) {
			char *line = strndup(rules + start_len, len - start_len);
			struct rule rule;

			if (!line)
				return VERDICT_DROPPED;
			rule = read_rule(line, walk->port);
			if (rule.fits && !is(rule.target, "RETURN"))
				verdict = judge(walk, &rule, &by);
			is_left = rule.fits && !rule.narrow &&
				  (rule.is_goto || is(rule.target, "RETURN"));
			free(line);
		}
		rules += len + (rules[len] == '\n');
	}
	return verdict;
}

bool legacy_firewall_drops(const char *rules, unsigned int port)
{
	static const char policy[] = "-P INPUT DROP\n";
	struct walk walk = {.rules = rules, .port = port};
	const enum verdict verdict = walk_chain(&walk, "INPUT", (struct rule){0});

	return verdict == VERDICT_DROPPED ||
	       (verdict == VERDICT_NONE && strstr(rules, policy) != NULL);
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
	char rules[65536];

	if (!is_used(family) || system_run(list, rules, sizeof(rules)) != 0)
		return false;
	/* What is cut may drop. */
	return strlen(rules) + 1 == sizeof(rules) || legacy_firewall_drops(rules, port);
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
