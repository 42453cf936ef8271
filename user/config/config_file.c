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
			  "%s is given twice in this section; legal: once%s", opt->name,
			  opt->flags & CFGF_LIST ? ", as a list { \"A\", \"B\" }" : "");
		free(value);
		return -1;
	}
	*(void **)result = value;
	return 0;
}

#define VALUE(name) CFG_PTR_CB(name, NULL, CFGF_NODEFAULT, value_locate, free)
#define LIST(name)  CFG_PTR_LIST_CB(name, NULL, CFGF_NODEFAULT, value_locate, free)

/* Names only, as libconfuse needs them to parse; what a value may be is in settings.c. */
static cfg_opt_t daemon_names[] = {VALUE("workers"), VALUE("control"), VALUE("state-dir"),
				   VALUE("log-level"), CFG_END()};
static cfg_opt_t listen_names[] = {VALUE("address"),   VALUE("to"),	     VALUE("tokens"),
				   VALUE("exit-name"), VALUE("transparent"), CFG_END()};
static cfg_opt_t access_names[] = {LIST("allow"), LIST("own-allow"), LIST("exit-allow"),
				   LIST("accept-proxy-protocol"), CFG_END()};
static cfg_opt_t user_names[] = {VALUE("password-file"), CFG_END()};
static cfg_opt_t upstream_names[] = {VALUE("mptcp"),
				     VALUE("congestion"),
				     VALUE("tcp-only-expiry"),
				     VALUE("tcp-only-retry"),
				     VALUE("when-no-exit"),
				     VALUE("exit-answer"),
				     VALUE("exit-probe"),
				     VALUE("links"),
				     LIST("send-proxy-protocol"),
				     CFG_END()};
static cfg_opt_t exit_names[] = {VALUE("address"),  VALUE("port"),   VALUE("token-file"),
				 VALUE("priority"), VALUE("weight"), CFG_END()};
static cfg_opt_t link_names[] = {VALUE("device"),    VALUE("role"),    VALUE("weight"),
				 VALUE("rate-down"), VALUE("rate-up"), VALUE("quota"),
				 VALUE("reset-day"), LIST("gateway"),  LIST("probe"),
				 VALUE("demote"),    CFG_END()};
static cfg_opt_t relay_names[] = {VALUE("tier"),     VALUE("tick"),    VALUE("bpf"),
				  VALUE("bpf-pins"), VALUE("torture"), VALUE("local-accel"),
				  CFG_END()};
#define TUNE_VALUE(member, name, standard, least, most) VALUE(name),
static cfg_opt_t tune_names[] = {TUNE_LIST(TUNE_VALUE) CFG_END()};
static cfg_opt_t timeouts_names[] = {VALUE("handshake"), VALUE("resolve"),     VALUE("connect"),
				     VALUE("idle"),	 VALUE("half-closed"), VALUE("drain"),
				     CFG_END()};

static cfg_opt_t intercept_names[] = {VALUE("method"),
				      LIST("lan"),
				      LIST("bypass-destination"),
				      LIST("bypass-source"),
				      LIST("bypass-port"),
				      LIST("bypass-mac"),
				      LIST("bypass-domain"),
				      VALUE("transparent-source"),
				      VALUE("auto-bypass"),
				      VALUE("prefer-name"),
				      CFG_END()};

#define NAMED_SECTION (CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES)

/* Each may be there many times; libconfuse would otherwise make those up that are not. */
static cfg_opt_t sections[] = {CFG_SEC("daemon", daemon_names, CFGF_MULTI),
			       CFG_SEC("listen", listen_names, NAMED_SECTION),
			       CFG_SEC("access", access_names, CFGF_MULTI),
			       CFG_SEC("user", user_names, NAMED_SECTION),
			       CFG_SEC("exit", exit_names, NAMED_SECTION),
			       CFG_SEC("upstream", upstream_names, CFGF_MULTI),
			       CFG_SEC("link", link_names, NAMED_SECTION),
			       CFG_SEC("relay", relay_names, CFGF_MULTI),
			       CFG_SEC("tune", tune_names, CFGF_MULTI),
			       CFG_SEC("timeouts", timeouts_names, CFGF_MULTI),
			       CFG_SEC("intercept", intercept_names, CFGF_MULTI),
			       CFG_END()};

/* The names that may stand in this section. */
static void list_legal(cfg_t *cfg, char *out, size_t size)
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

static void report_syntax(cfg_t *cfg, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* libconfuse's errors, with what is legal at that place. */
static void report_syntax(cfg_t *cfg, const char *format, va_list args)
{
	char message[512];
	char legal[256];

	vsnprintf(message, sizeof(message), format, args);
	if (strncmp(format, "found duplicate", strlen("found duplicate")) == 0)
		snprintf(legal, sizeof(legal), "every name once");
	else
		list_legal(cfg, legal, sizeof(legal));
	log_error("%s:%d: %s; legal here: %s", cfg->filename, cfg->line, message, legal);
}

/* path's text as libconfuse can stand it; NULL after logging. */
static char *read_text(const char *path, size_t *len)
{
	char *text = text_file_read(path, FILE_MAX_BYTES, len);

	if (!text) {
		log_error("%s: cannot be read: %s; legal: a configuration file of at most %d bytes",
			  path, strerror(errno), FILE_MAX_BYTES);
		return NULL;
	}
	if (config_text_prepare(path, text, *len)) {
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
	root = cfg_init(sections, CFGF_NONE);
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

/* Logs that a section lacks what it needs; the line is that of its closing brace. */
static int refuse_incomplete(cfg_t *section, const char *need, const char *legal)
{
	log_error("%s:%d: %s \"%s\" ends here without %s; legal: %s = \"%s\"", section->filename,
		  section->line, cfg_name(section), cfg_title(section), need, need, legal);
	return -EINVAL;
}

static int apply_listen(cfg_t *section, struct draft *draft)
{
	const struct value *address = cfg_getptr(section, "address");
	const struct value *to = cfg_getptr(section, "to");
	const struct value *tokens = cfg_getptr(section, "tokens");
	const struct value *exit_name = cfg_getptr(section, "exit-name");
	const struct value *transparent = cfg_getptr(section, "transparent");
	bool is_transparent = false;
	int err;

	if (!address)
		return refuse_incomplete(section, "address", "ADDR:PORT");
	if (transparent) {
		err = settings_read_switch(transparent, &is_transparent);
		if (err)
			return err;
	}
	if (is_transparent && (to || tokens))
		return value_refuse(to ? to : tokens,
				    "a transparent listener goes where its clients want to; "
				    "legal: to, tokens or transparent, one of them");
	if (tokens && to)
		return value_refuse(tokens, "a forward takes no tokens; legal: tokens or to");
	if (exit_name && !tokens)
		return value_refuse(exit_name, "of no use without tokens; legal: with tokens");
	err = is_transparent ? settings_add_transparent(draft, address, NULL)
			     : settings_add_listener(draft, address, to);
	return err || !tokens ? err : settings_set_tokens(draft, tokens, exit_name);
}

static int apply_user(cfg_t *section, struct draft *draft)
{
	const struct value *file = cfg_getptr(section, "password-file");
	struct value name;

	if (!file)
		return refuse_incomplete(section, "password-file", "FILE");
	/* libconfuse keeps no line for the name. */
	name = *file;
	name.name = cfg_name(section);
	name.typed = name.text = cfg_title(section);
	return settings_add_user(draft, &name, file);
}

static int apply_exit(cfg_t *section, struct draft *draft)
{
	const struct exit_values values = {
		.address = cfg_getptr(section, "address"),
		.port = cfg_getptr(section, "port"),
		.token_file = cfg_getptr(section, "token-file"),
		.priority = cfg_getptr(section, "priority"),
		.weight = cfg_getptr(section, "weight"),
	};
	struct value name;

	if (!values.address)
		return refuse_incomplete(section, "address", "HOST");
	if (!values.token_file)
		return refuse_incomplete(section, "token-file", "FILE");
	/* libconfuse keeps no line for the name. */
	name = *values.address;
	name.name = cfg_name(section);
	name.typed = name.text = cfg_title(section);
	return settings_add_exit(draft, &name, &values);
}

static int apply_link(cfg_t *section, struct draft *draft)
{
	const struct value *device = cfg_getptr(section, "device");
	struct value name;
	cfg_opt_t *opt;
	int err;

	if (!device)
		return refuse_incomplete(section, "device", "INTERFACE");
	name = *device;
	name.name = cfg_name(section);
	name.typed = name.text = cfg_title(section);
	err = settings_add_link(draft, &name, device);
	for (unsigned int i = 0; !err && (opt = cfg_getnopt(section, i)); i++)
		for (unsigned int j = 0; !err && j < cfg_opt_size(opt); j++)
			err = settings_set_link(draft, cfg_opt_name(opt), cfg_opt_getnptr(opt, j));
	return err;
}

static int apply_values(cfg_t *section, struct draft *draft)
{
	cfg_opt_t *opt;

	for (unsigned int i = 0; (opt = cfg_getnopt(section, i)); i++) {
		for (unsigned int j = 0; j < cfg_opt_size(opt); j++) {
			int err = settings_set(draft->config, cfg_name(section), cfg_opt_name(opt),
					       cfg_opt_getnptr(opt, j));

			if (err)
				return err;
		}
	}
	return 0;
}

static int apply_section(cfg_t *section, struct draft *draft)
{
	if (strcmp(cfg_name(section), "listen") == 0)
		return apply_listen(section, draft);
	if (strcmp(cfg_name(section), "user") == 0)
		return apply_user(section, draft);
	if (strcmp(cfg_name(section), "exit") == 0)
		return apply_exit(section, draft);
	if (strcmp(cfg_name(section), "link") == 0)
		return apply_link(section, draft);
	return apply_values(section, draft);
}

int config_file_apply(struct cfg_t *root, struct draft *draft)
{
	cfg_opt_t *kind;

	for (unsigned int i = 0; (kind = cfg_getnopt(root, i)); i++) {
		for (unsigned int j = 0; j < cfg_opt_size(kind); j++) {
			int err = apply_section(cfg_opt_getnsec(kind, j), draft);

			if (err)
				return err;
		}
	}
	return 0;
}
