/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value of the configuration, from file or option alike: judged and stored. */
#ifndef HAWSER_CONFIG_SETTINGS_H
#define HAWSER_CONFIG_SETTINGS_H

#include <errno.h>

#include "config/config.h"

/* A value as somebody wrote it, and where. All pointers are borrowed. */
struct value {
	const char *file; /* NULL on the command line */
	unsigned int line;
	const char *name;  /* "mptcp", or "--mptcp" on the command line */
	const char *typed; /* all that was written, for messages */
	const char *text;  /* the part of it that is meant */
};

/* A configuration in the making. */
struct draft {
	struct config *config;
	struct value *listen_from; /* parallel to config->listen; .text is unset */
	/* --tokens and --exit-name, for the listeners of --serve-exit; name NULL: not given. */
	struct value tokens;
	struct value exit_name;
	struct value exit_token; /* --exit-token, for --exit */
};

/* What an exit section says; NULL where it says nothing. */
struct exit_values {
	const struct value *address;
	const struct value *port;
	const struct value *token_file;
	const struct value *priority;
	const struct value *weight;
};

extern const char *const settings_mptcp_words[];
extern const char *const settings_tier_words[];

/* Logs "FILE:LINE: NAME "TYPED": message", or "--NAME TYPED: message". */
void value_log(enum log_level level, const struct value *value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Its value is -EINVAL. */
#define value_refuse(value, ...) (value_log(LOG_LEVEL_ERROR, (value), __VA_ARGS__), -EINVAL)

/* The same for want of memory: -ENOMEM. */
int value_refuse_no_memory(const struct value *value);

/* The index of the value among words, which end in NULL, or -EINVAL after logging. */
int settings_choose_word(const struct value *value, const char *const *words);

/* A new element, zeroed, at the end of a list of count elements; NULL after logging. */
void *settings_grow(const struct value *value, void **list, size_t *count, size_t size);

/* The functions below return 0, or a negative errno after logging. */

/* "on" or "yes", "off" or "no", to a bool. */
int settings_read_switch(const struct value *value, bool *out);

/* Sets section.name; an element of a list is added. */
int settings_set(struct config *config, const char *section, const char *name,
		 const struct value *value);

/* to is NULL for SOCKS and HTTP CONNECT. */
int settings_add_listener(struct draft *draft, const struct value *address, const struct value *to);

/* The last listener that was added takes the tokens of this file. exit_name may be NULL. */
int settings_set_tokens(struct draft *draft, const struct value *file,
			const struct value *exit_name);

/* For --serve-exit: a listener whose tokens come by --tokens. none is ignored. */
int settings_serve_exit(struct draft *draft, const struct value *address, const struct value *none);

/* An exit of this router. name is its section's. */
int settings_add_exit(struct draft *draft, const struct value *name,
		      const struct exit_values *values);

/* For --exit: its token comes by --exit-token. none is ignored. */
int settings_use_exit(struct draft *draft, const struct value *destination,
		      const struct value *none);

int settings_set_when_no_exit(struct config *config, const struct value *value);

/* Brings together what options said in any order. */
int settings_finish_exits(struct draft *draft);

/* none is NULL. */
int settings_add_transparent(struct draft *draft, const struct value *address,
			     const struct value *none);

/* The link that settings_set_link() is about from then on. */
int settings_add_link(struct draft *draft, const struct value *name, const struct value *device);

/* Sets a setting of the link that was added last; "device" is passed over. */
int settings_set_link(struct draft *draft, const char *setting, const struct value *value);

int settings_add_user(struct draft *draft, const struct value *name,
		      const struct value *password_file);

#endif
