/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hawser.conf(5): read, parsed by libconfuse, every value kept with its line. Judges no value. */
#include "config/config_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <confuse.h>

#include "base/log.h"
#include "base/text_file.h"
#include "config/config_text.h"
#include "config/settings.h"

#define FILE_MAX_BYTES 1000000

/* libconfuse calls this for every value. Stores a struct value, as libconfuse forgets the line. */
static int value_locate(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	size_t size = strlen(text) + 1;
	struct value *value;
	char *copy;

	value = malloc(sizeof(*value) + size);
	if (!value)
		return -1;
	copy = (char *)(value + 1);
	memcpy(copy, text, size);
	*value = (struct value){.file = cfg->filename,
				.line = (unsigned int)cfg->line,
				.name = opt->name,
				.typed = copy,
				.text = copy};
	/* A second "name =" would silently replace the first. It starts again at one value, and
	 * libconfuse does not use the number of a pointer option. */
	if (opt->nvalues == 1 && opt->def.number++ > 0) {
		value_log(LOG_LEVEL_ERROR, value,
			  "%s is given twice in this section; expected once%s", opt->name,
			  opt->flags & CFGF_LIST ? ", as a list { \"A\", \"B\" }" : "");
		free(value);
		return -1;
	}
	*(void **)result = value;
	return 0;
}

/* libconfuse's own table of the names, which it copies. NULL without memory. */
static cfg_t *make_root(void)
{
	cfg_opt_t sections[SECTION_COUNT];
	cfg_opt_t *names = calloc(settings_count + SECTION_COUNT, sizeof(*names));
	cfg_opt_t *next = names;
	cfg_t *root;

	if (!names)
		return NULL;
	/* Each may be there many times; libconfuse would otherwise make those up that are not. */
	for (enum section at = SECTION_NONE + 1; at < SECTION_COUNT; at++) {
		sections[at - 1] = (cfg_opt_t)CFG_SEC(
			section_name(at), next,
			CFGF_MULTI | (section_has_name(at) ? CFGF_TITLE | CFGF_NO_TITLE_DUPES : 0));
		for (size_t i = 0; i < settings_count; i++) {
			const int list = settings[i].repeats ? CFGF_LIST : CFGF_NONE;

			if (settings[i].section == at && settings[i].name)
				*next++ = (cfg_opt_t)CFG_PTR_CB(settings[i].name, NULL,
								CFGF_NODEFAULT | list, value_locate,
								free);
		}
		*next++ = (cfg_opt_t)CFG_END();
	}
	sections[SECTION_COUNT - 1] = (cfg_opt_t)CFG_END();
	root = cfg_init(sections, CFGF_NONE);
	free(names);
	return root;
}

/* The names that may stand in this section. */
static void list_expected(cfg_t *cfg, char *out, size_t size)
{
	cfg_opt_t *opt;
	size_t used = 0;

	*out = '\0';
	for (unsigned int i = 0; (opt = cfg_getnopt(cfg, i)) && used < size; i++) {
		const char *form = " = ...";

		if (opt->type == CFGT_SEC)
			form = opt->flags & CFGF_TITLE ? " \"NAME\" {...}" : " {...}";
		else if (opt->flags & CFGF_LIST)
			form = " = {...}";
		used += (size_t)snprintf(out + used, size - used, "%s%s%s", i ? ", " : "",
					 opt->name, form);
	}
}

/* "; it is one of daemon {...}", of a name that stands elsewhere; else "". */
static void tell_sections(const char *message, char *out, size_t size)
{
	const char *name = strchr(message, '\'');
	const size_t len = name ? strcspn(++name, "'") : 0;
	size_t used = 0;

	*out = '\0';
	for (size_t i = 0; len > 0 && i < settings_count && used < size; i++) {
		const struct setting *setting = &settings[i];

		if (setting->section != SECTION_NONE && setting->name &&
		    strlen(setting->name) == len && strncmp(setting->name, name, len) == 0)
			used += (size_t)snprintf(
				out + used, size - used, "%s%s%s {...}",
				used ? ", " : "; it is one of ", section_name(setting->section),
				section_has_name(setting->section) ? " \"NAME\"" : "");
	}
}

static void report_syntax(cfg_t *cfg, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* libconfuse's errors, with what is expected at that place. */
static void report_syntax(cfg_t *cfg, const char *format, va_list args)
{
	char message[512];
	char expected[256];
	char elsewhere[128] = "";

	vsnprintf(message, sizeof(message), format, args);
	if (strncmp(format, "no such option", strlen("no such option")) == 0)
		tell_sections(message, elsewhere, sizeof(elsewhere));
	if (strncmp(format, "found duplicate", strlen("found duplicate")) == 0)
		snprintf(expected, sizeof(expected), "every name once");
	else
		list_expected(cfg, expected, sizeof(expected));
	log_error("%s:%d: %s%s; expected here: %s", cfg->filename, cfg->line, message, elsewhere,
		  expected);
}

/* path's text as libconfuse can stand it; NULL after logging. */
static char *read_text(const char *path, size_t *len)
{
	char *text = text_file_read(path, FILE_MAX_BYTES, len);
	const char *fault;
	unsigned int line;

	if (!text) {
		log_error(
			"%s: cannot be read: %s; expected a configuration file of at most %d bytes",
			path, strerror(errno), FILE_MAX_BYTES);
		return NULL;
	}
	fault = text_file_fault(text, *len, &line);
	if (fault)
		log_error("%s:%u: %s", path, line, fault);
	if (fault || config_text_prepare(path, text, *len)) {
		free(text);
		return NULL;
	}
	return text;
}

struct cfg_t *config_file_parse(const char *path)
{
	FILE *stream = NULL;
	cfg_t *root = NULL;
	bool parsed = false;
	size_t len;
	char *text;

	text = read_text(path, &len);
	if (!text)
		return NULL;
	/* Only want of memory makes libconfuse fail without a message. */
	errno = 0;
	stream = fmemopen(text, len, "r");
	if (!stream)
		goto out;
	root = make_root();
	if (!root)
		goto out;
	root->filename = strdup(path);
	if (!root->filename)
		goto out;
	cfg_set_error_function(root, report_syntax);
	parsed = cfg_parse_fp(root, stream) == CFG_SUCCESS;
out:
	if (!parsed) {
		if (errno == ENOMEM)
			log_error("%s: %s", path, strerror(ENOMEM));
		cfg_free(root);
		root = NULL;
	}
	if (stream)
		fclose(stream);
	free(text);
	return root;
}

/* Stores all values of a setting in this section. */
static int apply_setting(cfg_t *section, const struct setting *setting, struct draft *draft)
{
	cfg_opt_t *opt = cfg_getopt(section, setting->name);
	const unsigned int count = cfg_opt_size(opt);

	/* The line is that of the closing brace. */
	if (setting->required && count == 0) {
		log_error("%s:%d: %s \"%s\" ends here without %s; expected %s = \"%s\"",
			  section->filename, section->line, cfg_name(section), cfg_title(section),
			  setting->name, setting->name, setting->argument);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < count; i++) {
		const struct value *value = cfg_opt_getnptr(opt, i);
		int err;

		/* libconfuse keeps no line for a section's name; the first setting is near. */
		if (draft->item.name.line == 0)
			draft->item.name.line = value->line;
		err = settings_set(draft, setting, value);
		if (err)
			return err;
	}
	return 0;
}

static int apply_section(cfg_t *section, enum section kind, struct draft *draft)
{
	if (section_has_name(kind))
		settings_begin_item(draft, &(struct value){.file = section->filename,
							   .name = cfg_name(section),
							   .typed = cfg_title(section),
							   .text = cfg_title(section)});
	for (size_t i = 0; i < settings_count; i++) {
		int err = 0;

		if (settings[i].section == kind && settings[i].name)
			err = apply_setting(section, &settings[i], draft);
		if (err)
			return err;
	}
	return section_has_name(kind) ? settings_end_item(draft, kind) : 0;
}

int config_file_apply(struct cfg_t *root, struct draft *draft)
{
	for (enum section kind = SECTION_NONE + 1; kind < SECTION_COUNT; kind++) {
		cfg_opt_t *opt = cfg_getopt(root, section_name(kind));

		for (unsigned int i = 0; i < cfg_opt_size(opt); i++) {
			int err = apply_section(cfg_opt_getnsec(opt, i), kind, draft);

			if (err)
				return err;
		}
	}
	return 0;
}
