/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: one table drives getopt, the help text and what each option sets. */
#include "config/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/settings.h"

#define EXIT_USAGE 2
#define LONG_BASE  256 /* above every short option */

enum option_kind {
	OPTION_FILE,
	OPTION_VALUE,
	OPTION_SWITCH,
	OPTION_CHECK,
	OPTION_VERSION,
	OPTION_HELP
};

static int set_timeout(struct draft *draft, const struct value *name, const struct value *seconds);
static int set_link(struct draft *draft, const struct value *name, const struct value *link);
static int set_tune(struct draft *draft, const struct value *name, const struct value *number);
static int set_no_bpf(struct draft *draft, const struct value *option, const struct value *none);
static int set_intercept_method(struct draft *draft, const struct value *method,
				const struct value *none);
static int set_torture(struct draft *draft, const struct value *option, const struct value *none);
static int set_tokens(struct draft *draft, const struct value *file, const struct value *none);
static int set_exit_name(struct draft *draft, const struct value *name, const struct value *none);
static int set_exit_token(struct draft *draft, const struct value *file, const struct value *none);

struct option_row {
	enum option_kind kind;
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;
	/* Of OPTION_VALUE and OPTION_SWITCH, either the section of the file that has the same name,
	 * or a function; second is what follows the separator, NULL without one. */
	const char *section;
	const char *separator;
	int (*apply)(struct draft *draft, const struct value *first, const struct value *second);
};

#define SETTING(section)	 (section), NULL, NULL
#define APPLY(separator, fn)	 NULL, (separator), (fn)
#define NO_VALUE		 NULL, NULL, NULL
#define NAME_WITHOUT_DASHES(row) ((row)->name + 2)

/* Those with a * may be repeated. */
static const struct option_row rows[] = {
	{OPTION_FILE, "--config", "FILE", "read FILE first, see hawser.conf(5); also -c", NO_VALUE},
	{OPTION_VALUE, "--socks", "ADDR:PORT", "listen for SOCKS and HTTP CONNECT *",
	 APPLY(NULL, settings_add_listener)},
	{OPTION_VALUE, "--forward", "ADDR:PORT=HOST:PORT", "listen, and connect to HOST:PORT *",
	 APPLY("=", settings_add_listener)},
	{OPTION_VALUE, "--transparent", "ADDR:PORT", "take connections by TPROXY or REDIRECT *",
	 APPLY(NULL, settings_add_transparent)},
	{OPTION_VALUE, "--intercept", "tproxy|redirect|bpf", "how 'hawser intercept' takes them",
	 APPLY(NULL, set_intercept_method)},
	{OPTION_VALUE, "--lan", "INTERFACE", "take what comes in here *", SETTING("intercept")},
	{OPTION_VALUE, "--bypass-destination", "PREFIX", "leave what goes there alone *",
	 SETTING("intercept")},
	{OPTION_VALUE, "--bypass-port", "PORT[-PORT]", "leave what goes to these ports alone *",
	 SETTING("intercept")},
	{OPTION_VALUE, "--bypass-source", "PREFIX", "leave these clients alone *",
	 SETTING("intercept")},
	{OPTION_VALUE, "--bypass-mac", "MAC", "leave this client alone *", SETTING("intercept")},
	{OPTION_VALUE, "--transparent-source", "yes|no", "dial from the address of the client",
	 SETTING("intercept")},
	{OPTION_VALUE, "--auto-bypass", "yes|no", "route around us what has no MPTCP",
	 SETTING("intercept")},
	{OPTION_VALUE, "--prefer-name", "yes|no", "tell exits the name that a client sends",
	 SETTING("intercept")},
	{OPTION_VALUE, "--bypass-domain", "DOMAIN", "plain TCP to what is taken and called so *",
	 SETTING("intercept")},
	{OPTION_VALUE, "--user", "NAME:PASSWORD-FILE", "let NAME in with the password there *",
	 APPLY(":", settings_add_user)},
	{OPTION_VALUE, "--allow", "PREFIX", "let these addresses in without a password *",
	 SETTING("access")},
	{OPTION_VALUE, "--own-allow", "PREFIX", "own addresses that clients may reach *",
	 SETTING("access")},
	{OPTION_VALUE, "--accept-proxy-protocol", "PREFIX",
	 "proxies that tell who their client is *", SETTING("access")},
	{OPTION_VALUE, "--send-proxy-protocol", "HOST:PORT",
	 "tell this destination who the client is *", SETTING("upstream")},
	{OPTION_VALUE, "--serve-exit", "ADDR:PORT", "listen for routers with tokens, too *",
	 APPLY(NULL, settings_serve_exit)},
	{OPTION_VALUE, "--tokens", "FILE", "the tokens that --serve-exit takes",
	 APPLY(NULL, set_tokens)},
	{OPTION_VALUE, "--exit-name", "NAME", "take only those that are for an exit NAME",
	 APPLY(NULL, set_exit_name)},
	{OPTION_VALUE, "--exit-allow", "PREFIX", "special addresses that tokens may reach *",
	 SETTING("access")},
	{OPTION_VALUE, "--exit", "HOST:PORT", "carry all sessions through this exit *",
	 APPLY(NULL, settings_use_exit)},
	{OPTION_VALUE, "--exit-token", "FILE", "the token that --exit wants",
	 APPLY(NULL, set_exit_token)},
	{OPTION_VALUE, "--when-no-exit", "direct|refuse", "what to do when none answers",
	 SETTING("upstream")},
	{OPTION_VALUE, "--exit-answer", "SECONDS", "an exit silent for so long is down",
	 SETTING("upstream")},
	{OPTION_VALUE, "--exit-probe", "SECONDS", "how often an idle exit is asked",
	 SETTING("upstream")},
	{OPTION_VALUE, "--mptcp", "auto|on|off", "MPTCP for outgoing connections",
	 SETTING("upstream")},
	{OPTION_VALUE, "--congestion", "auto|system|NAME", "congestion control of MPTCP",
	 SETTING("upstream")},
	{OPTION_VALUE, "--tcp-only-expiry", "SECONDS", "how long a server without MPTCP is known",
	 SETTING("upstream")},
	{OPTION_VALUE, "--tcp-only-retry", "N", "try MPTCP with it every N-th time",
	 SETTING("upstream")},
	{OPTION_VALUE, "--links", "listed|auto|manual", "which links are set up",
	 SETTING("upstream")},
	{OPTION_VALUE, "--link", "NAME=DEVICE[,ROLE[,WEIGHT]]", "a link to set up *",
	 APPLY("=", set_link)},
	{OPTION_VALUE, "--tier", "auto|copy|splice|sockmap", "how bytes are moved",
	 SETTING("relay")},
	{OPTION_VALUE, "--tick", "auto|off|MICROSECONDS", "when bulk is looked at",
	 SETTING("relay")},
	{OPTION_SWITCH, "--no-bpf", NULL, "load no BPF programs", APPLY(NULL, set_no_bpf)},
	{OPTION_VALUE, "--bpf-pins", "DIRECTORY", "where in a bpffs the maps are pinned",
	 SETTING("relay")},
	{OPTION_VALUE, "--tune", "NAME=NUMBER", "constants of the relay, for experiments *",
	 APPLY("=", set_tune)},
	{OPTION_SWITCH, "--torture", NULL, "change tiers and ticks at random, for tests",
	 APPLY(NULL, set_torture)},
	{OPTION_VALUE, "--local-accel", "CGROUP", "let clients in CGROUP send past TCP",
	 SETTING("relay")},
	{OPTION_VALUE, "--timeout", "NAME=SECONDS",
	 "of handshake, resolve, connect, idle, half-closed or drain *", APPLY("=", set_timeout)},
	{OPTION_VALUE, "--workers", "N", "threads, 1 to 64", SETTING("daemon")},
	{OPTION_VALUE, "--control", "PATH", "socket for hawser(1)", SETTING("daemon")},
	{OPTION_VALUE, "--state-dir", "PATH", "directory for what survives restarts of the host",
	 SETTING("daemon")},
	{OPTION_VALUE, "--log-level", "LEVEL", "error, warning, info or debug", SETTING("daemon")},
	{OPTION_CHECK, "--check", NULL, "check the configuration and exit", NO_VALUE},
	{OPTION_VERSION, "--version", NULL, "print the version and exit", NO_VALUE},
	{OPTION_HELP, "--help", NULL, "print this and exit", NO_VALUE},
};

#define ROW_COUNT (sizeof(rows) / sizeof(*rows))

struct options {
	const char *file;
	bool check_only;
	size_t count;
	struct given {
		const struct option_row *row;
		const char *text;
	} given[];
};

static int set_timeout(struct draft *draft, const struct value *name, const struct value *seconds)
{
	return settings_set(draft->config, "timeouts", name->text, seconds);
}

static int set_link(struct draft *draft, const struct value *name, const struct value *link)
{
	static const char *const settings[] = {"role", "weight"};
	char *copy = strdup(link->text);
	struct value part = *link;
	char *rest = copy;
	int err;

	if (!copy)
		return value_refuse(link, "%s", strerror(ENOMEM));
	part.text = strsep(&rest, ",");
	err = settings_add_link(draft, name, &part);
	for (size_t i = 0; !err && rest && i < sizeof(settings) / sizeof(*settings); i++) {
		part.text = strsep(&rest, ",");
		err = settings_set_link(draft, settings[i], &part);
	}
	if (!err && rest)
		err = value_refuse(link, "\"%s\" is too much; legal: NAME=DEVICE[,ROLE[,WEIGHT]]",
				   rest);
	free(copy);
	return err;
}

static int set_tune(struct draft *draft, const struct value *name, const struct value *number)
{
	return settings_set(draft->config, "tune", name->text, number);
}

static int set_intercept_method(struct draft *draft, const struct value *method,
				const struct value *none)
{
	(void)none;
	return settings_set(draft->config, "intercept", "method", method);
}

static int set_no_bpf(struct draft *draft, const struct value *option, const struct value *none)
{
	(void)option;
	(void)none;
	draft->config->relay.bpf = false;
	return 0;
}

static int set_torture(struct draft *draft, const struct value *option, const struct value *none)
{
	(void)option;
	(void)none;
	draft->config->relay.torture = true;
	return 0;
}

static int set_tokens(struct draft *draft, const struct value *file, const struct value *none)
{
	(void)none;
	draft->tokens = *file;
	return 0;
}

static int set_exit_name(struct draft *draft, const struct value *name, const struct value *none)
{
	(void)none;
	draft->exit_name = *name;
	return 0;
}

static int set_exit_token(struct draft *draft, const struct value *file, const struct value *none)
{
	(void)none;
	draft->exit_token = *file;
	return 0;
}

static void print_help(void)
{
	printf("usage: hawserd [OPTION]...\n\n");
	for (size_t i = 0; i < ROW_COUNT; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", rows[i].name,
			 rows[i].argument ? rows[i].argument : "");
		printf("  %-31s %s\n", left, rows[i].help);
	}
	printf("\n* may be given many times. Without --socks, --forward, --transparent or a\n"
	       "file that has a listener: --socks 127.0.0.1:1080 --socks [::1]:1080\n");
}

/* The row of what getopt_long() returned or left in optopt; NULL if it knows none. */
static const struct option_row *find_row(int code)
{
	if (code == 'c')
		return &rows[0];
	if (code >= LONG_BASE && (size_t)code - LONG_BASE < ROW_COUNT)
		return &rows[code - LONG_BASE];
	return NULL;
}

/* code is ':' or '?' of getopt_long(). Returns the exit code. */
static int report_usage(int code, char **argv)
{
	const struct option_row *row = find_row(optopt);

	if (row && code == ':')
		log_error("%s: no value; legal: %s %s", row->name, row->name, row->argument);
	else if (row)
		log_error("%s: takes no value; legal: %s", argv[optind - 1], row->name);
	else if (optopt)
		log_error("-%c: no such option; legal: -c FILE, or see --help", optopt);
	else
		log_error("%s: no such option; legal: see --help", argv[optind - 1]);
	return EXIT_USAGE;
}

/* Takes one option; returns the exit code to end with, or -1. */
static int take_option(struct options *options, const struct option_row *row)
{
	switch (row->kind) {
	case OPTION_FILE:
		options->file = optarg;
		return -1;
	case OPTION_VALUE:
	case OPTION_SWITCH:
		options->given[options->count++] = (struct given){row, optarg};
		return -1;
	case OPTION_CHECK:
		options->check_only = true;
		return -1;
	case OPTION_VERSION:
		printf("hawserd %s\n", HAWSER_VERSION);
		return 0;
	case OPTION_HELP:
		print_help();
		return 0;
	}
	return -1;
}

const struct options *options_parse(int argc, char **argv)
{
	struct option longs[ROW_COUNT + 1] = {0};
	struct options *options;
	int exit_code = -1;
	int code;

	options = calloc(1, sizeof(*options) + (size_t)argc * sizeof(options->given[0]));
	if (!options) {
		log_error("%s", strerror(ENOMEM));
		exit(EXIT_USAGE);
	}
	for (size_t i = 0; i < ROW_COUNT; i++)
		longs[i] = (struct option){.name = NAME_WITHOUT_DASHES(&rows[i]),
					   .has_arg = rows[i].argument ? required_argument
								       : no_argument,
					   .val = LONG_BASE + (int)i};
	opterr = 0;
	optind = 0; /* begin anew, also for a second command line */
	while (exit_code < 0 && (code = getopt_long(argc, argv, ":c:", longs, NULL)) != -1) {
		const struct option_row *row = find_row(code);

		exit_code = row ? take_option(options, row) : report_usage(code, argv);
	}
	if (exit_code < 0 && optind < argc) {
		log_error("%s: not an option; legal: see --help", argv[optind]);
		exit_code = EXIT_USAGE;
	}
	if (exit_code >= 0) {
		free(options);
		exit(exit_code);
	}
	return options;
}

void options_free(const struct options *options)
{
	free((void *)options);
}

bool options_check_only(const struct options *options)
{
	return options->check_only;
}

const char *options_file(const struct options *options)
{
	return options->file;
}

/* Hands on the two parts of "FIRST<separator>SECOND". */
static int apply_split(const struct option_row *row, struct draft *draft, const struct value *value)
{
	const char *separator = strchr(value->text, *row->separator);
	struct value first = *value;
	struct value second = *value;
	char *copy;
	int err;

	if (!separator)
		return value_refuse(value, "there is no '%s' in it; legal: %s", row->separator,
				    row->argument);
	copy = strndup(value->text, (size_t)(separator - value->text));
	if (!copy)
		return value_refuse(value, "%s", strerror(ENOMEM));
	first.text = copy;
	second.text = separator + 1;
	err = row->apply(draft, &first, &second);
	free(copy);
	return err;
}

int options_apply(const struct options *options, struct draft *draft)
{
	for (size_t i = 0; i < options->count; i++) {
		const struct option_row *row = options->given[i].row;
		const char *text = options->given[i].text;
		struct value value = {.name = row->name, .typed = text ? text : "", .text = text};
		int err;

		if (row->section)
			err = settings_set(draft->config, row->section, NAME_WITHOUT_DASHES(row),
					   &value);
		else if (text && row->separator)
			err = apply_split(row, draft, &value);
		else
			err = row->apply(draft, &value, NULL);
		if (err)
			return err;
	}
	return 0;
}
