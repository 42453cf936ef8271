/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: getopt, the help text and what each option sets, from the table of settings. */
#include "config/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/settings.h"

#define EXIT_USAGE 2
#define LONG_BASE  256 /* above every short option */

struct options {
	const char *file;
	bool check_only;
	bool keeper;
	size_t count;
	struct given {
		const struct setting *setting;
		const char *text;
	} given[];
};

/* "--mptcp auto|on|off". Returns out. */
static const char *option_form(const struct setting *setting, char *out, size_t size)
{
	const char *const *words = setting->limits.words;
	size_t used =
		(size_t)snprintf(out, size, "%s%s%s", setting->option, setting->argument ? " " : "",
				 setting->argument ? setting->argument : "");

	for (size_t i = 0; !setting->argument && words && words[i] && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? "|" : " ", words[i]);
	return out;
}

static bool takes_value(const struct setting *setting)
{
	return setting->argument || setting->limits.words;
}

static void print_help(void)
{
	char form[96];

	printf("usage: hawserd [OPTION]...\n\n");
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].option)
			printf("  %-34s %s%s\n", option_form(&settings[i], form, sizeof(form)),
			       settings[i].help, settings[i].repeats ? " *" : "");
	printf("\n* may be given many times. Without any option " CONFIG_FILE_DEFAULT
	       " is read, if\n"
	       "it is there. Without --socks, --forward, --transparent or a file that has a\n"
	       "listener: --socks 127.0.0.1:1080 --socks [::1]:1080\n");
}

/* Of what getopt_long() returned or left in optopt; NULL if it knows none. */
static const struct setting *find_option(int code)
{
	for (size_t i = 0; (code == 'c' || code == 'h') && i < settings_count; i++)
		if (settings[i].act == (code == 'c' ? OPTION_FILE : OPTION_HELP))
			return &settings[i];
	if (code >= LONG_BASE && (size_t)code - LONG_BASE < settings_count)
		return &settings[code - LONG_BASE];
	return NULL;
}

/* code is ':' or '?' of getopt_long(). Returns the exit code. */
static int report_usage(int code, char **argv)
{
	const struct setting *setting = find_option(optopt);
	char form[96];

	if (setting && code == ':')
		log_error("%s: no value; expected %s", setting->option,
			  option_form(setting, form, sizeof(form)));
	else if (setting)
		log_error("%s: takes no value; expected %s", argv[optind - 1], setting->option);
	else if (optopt)
		log_error("-%c: no such option; expected -c FILE, or see --help", optopt);
	else
		log_error("%s: no such option; see --help", argv[optind - 1]);
	return EXIT_USAGE;
}

/* Takes one option; returns the exit code to end with, or -1. */
static int take_option(struct options *options, const struct setting *setting)
{
	switch (setting->act) {
	case OPTION_SET:
		options->given[options->count++] = (struct given){setting, optarg};
		break;
	case OPTION_FILE:
		options->file = optarg;
		break;
	case OPTION_CHECK:
		options->check_only = true;
		break;
	case OPTION_KEEPER:
		options->keeper = true;
		break;
	case OPTION_VERSION:
		printf("hawserd %s\n", HAWSER_VERSION);
		return 0;
	case OPTION_HELP:
		print_help();
		return 0;
	}
	return -1;
}

/* "version" and "help" are as good as --version and --help. */
static int take_word(struct options *options, const char *word)
{
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].option &&
		    (settings[i].act == OPTION_VERSION || settings[i].act == OPTION_HELP) &&
		    strcmp(word, settings[i].option + strlen("--")) == 0)
			return take_option(options, &settings[i]);
	log_error("%s: not an option; see --help", word);
	return EXIT_USAGE;
}

const struct options *options_parse(int argc, char **argv)
{
	struct option *longs = calloc(settings_count + 1, sizeof(*longs));
	struct option *next = longs;
	struct options *options;
	int exit_code = -1;
	int code;

	options = calloc(1, sizeof(*options) + (size_t)argc * sizeof(options->given[0]));
	if (!options || !longs) {
		log_error("%s", strerror(ENOMEM));
		exit(EXIT_USAGE);
	}
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].option)
			*next++ = (struct option){.name = settings[i].option + strlen("--"),
						  .has_arg = takes_value(&settings[i])
								     ? required_argument
								     : no_argument,
						  .val = LONG_BASE + (int)i};
	opterr = 0;
	optind = 0; /* begin anew, also for a second command line */
	while (exit_code < 0 && (code = getopt_long(argc, argv, ":c:h", longs, NULL)) != -1) {
		const struct setting *setting = find_option(code);

		exit_code = setting ? take_option(options, setting) : report_usage(code, argv);
	}
	free(longs);
	if (exit_code < 0 && optind < argc)
		exit_code = take_word(options, argv[optind]);
	if (exit_code >= 0) {
		free(options);
		exit(exit_code);
	}
	/* What was read once must be there when it is read again. */
	options->file = options_file(options);
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

bool options_wants_keeper(const struct options *options)
{
	return options->keeper;
}

const char *options_awaited_file(const struct options *options)
{
	return options->count == 0 && !options_file(options) ? CONFIG_FILE_DEFAULT : NULL;
}

const char *options_file(const struct options *options)
{
	if (!options->file && options->count == 0 && access(CONFIG_FILE_DEFAULT, F_OK) == 0)
		return CONFIG_FILE_DEFAULT;
	return options->file;
}

static int refuse_without(char separator, const struct setting *setting, const struct value *value)
{
	return value_refuse(value, "no '%c' in it; expected %s", separator, setting->argument);
}

/* Sets what setting->parts names, of a new section. text is value's, to be cut. */
static int apply_parts(const struct setting *setting, const struct value *value, char *text,
		       struct draft *draft)
{
	const char *at = setting->parts;
	struct value part = *value;
	char separator[2] = "";
	int err = 0;

	settings_begin_item(draft, value);
	if (setting->offset > 0)
		*(bool *)((char *)draft + setting->offset) = true;
	while (!err && text && *at) {
		const size_t len = strcspn(at, ":=,");
		char name[32];

		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		at += len;
		/* Nothing may follow the last one of a list. */
		if (*at || *separator != ',')
			*separator = *at;
		part.text = strsep(&text, separator);
		if (!text && (*separator == ':' || *separator == '='))
			return refuse_without(*separator, setting, value);
		if (*at)
			at++;
		if (strcmp(name, "NAME") == 0)
			draft->item.name = part;
		else
			err = settings_set_named(draft, setting->section, name, &part);
	}
	part.text = text;
	if (!err && text)
		err = value_refuse(&part, "unexpected; expected %s", setting->argument);
	return err ? err : settings_end_item(draft, setting->section);
}

/* Sets the setting of "SETTING=VALUE". */
static int apply_named(const struct setting *setting, const struct value *value, char *text,
		       struct draft *draft)
{
	const char *name = strsep(&text, "=");
	struct value part = *value;

	part.text = text;
	return text ? settings_set_named(draft, setting->section, name, &part)
		    : refuse_without('=', setting, value);
}

static int apply_option(const struct setting *setting, const char *text, struct draft *draft)
{
	const struct value value = {.name = setting->option,
				    .typed = text ? text : "",
				    .text = setting->implied ? setting->implied : text};
	char *copy;
	int err;

	if (setting->parse)
		return settings_set(draft, setting, &value);
	copy = strdup(value.typed);
	if (!copy)
		return value_refuse_no_memory(&value);
	err = setting->parts ? apply_parts(setting, &value, copy, draft)
			     : apply_named(setting, &value, copy, draft);
	free(copy);
	return err;
}

int options_apply(const struct options *options, struct draft *draft)
{
	int err = 0;

	for (size_t i = 0; !err && i < options->count; i++)
		err = apply_option(options->given[i].setting, options->given[i].text, draft);
	return err;
}
