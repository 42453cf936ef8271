/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value of the configuration, from file or option alike: judged and stored. */
#ifndef HAWSER_SETTINGS_H
#define HAWSER_SETTINGS_H

#include <errno.h>

#include "config.h"

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
};

extern const char *const settings_mptcp_words[];
extern const char *const settings_tier_words[];

/* Logs "FILE:LINE: NAME "TYPED": message", or "--NAME TYPED: message". */
void value_log(enum log_level level, const struct value *value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Its value is -EINVAL. */
#define value_refuse(value, ...) (value_log(LOG_LEVEL_ERROR, (value), __VA_ARGS__), -EINVAL)

/* The functions below return 0, or a negative errno after logging. */

/* Sets section.name; an element of a list is added. */
int settings_set(struct config *config, const char *section, const char *name,
		 const struct value *value);

/* to is NULL for SOCKS and HTTP CONNECT. */
int settings_add_listener(struct draft *draft, const struct value *address, const struct value *to);

/* The link that settings_set_link() is about from then on. */
int settings_add_link(struct draft *draft, const struct value *name, const struct value *device);

/* Sets a setting of the link that was added last; "device" is passed over. */
int settings_set_link(struct draft *draft, const char *setting, const struct value *value);

int settings_add_user(struct draft *draft, const struct value *name,
		      const struct value *password_file);

#endif
