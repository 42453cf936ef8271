/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one table of settings: the configuration file, the command line and its help come from it.
 * A new setting is a member of a struct, a row here, and a paragraph in the man pages. */
#ifndef HAWSER_CONFIG_SETTINGS_H
#define HAWSER_CONFIG_SETTINGS_H

#include "config/config.h"
#include "config/value.h"

enum section {
	SECTION_NONE, /* of an option that no file has */
	SECTION_DAEMON,
	SECTION_LISTEN,
	SECTION_ACCESS,
	SECTION_USER,
	SECTION_EXIT,
	SECTION_UPSTREAM,
	SECTION_LINK,
	SECTION_RELAY,
	SECTION_TUNE,
	SECTION_TIMEOUTS,
	SECTION_INTERCEPT,
	SECTION_METRICS,
	SECTION_COUNT
};

/* A configuration in the making. */
struct draft {
	struct config *config;
	struct value *listen_from; /* parallel to config->listen; .text is unset */
	/* The options of these names; .name is NULL without. */
	struct value tokens;	 /* of all --serve-exit */
	struct value exit_name;	 /* likewise */
	struct value exit_token; /* of all --exit */
	/* The section that is being read, if it has a name: what its settings say. */
	struct item {
		struct value name;
		struct value address;
		struct value to;
		struct value tokens;
		struct value exit_name;
		struct value secret_file; /* a user's password, an exit's token */
		uint32_t port;
		struct listen_config listen;
		struct exit_config exit;
		struct link_config link;
	} item;
};

enum option_act {
	OPTION_SET,
	OPTION_FILE,
	OPTION_CHECK,
	OPTION_KEEPER,
	OPTION_VERSION,
	OPTION_HELP
};

/* Small, as there are many: 56 bytes with 32 bits. */
struct setting {
	enum section section : 8;
	const char *name; /* in the section; NULL: see option */
	/* Parses the value and stores it. */
	int (*parse)(const struct value *value, const struct limits *limits, void *out);
	/* "--mptcp"; NULL: none. Without name it is no setting alone: see parts and act. */
	const char *option;
	struct limits limits;
	const char *argument; /* its form, for help and errors; NULL: the words */
	const char *help;
	const char *implied; /* the option takes no value, and stands for this one */
	/* The option makes a section of its value: "NAME=device,role" names the settings for what
	 * stands between these characters; what begins with a comma may be left out. NULL without a
	 * name: the value is "SETTING=VALUE" of the section. */
	const char *parts;
	/* Where: in struct draft for SECTION_NONE and sections with names, else in struct config.
	 * With parts: a bool that the option sets. */
	uint16_t offset;
	/* For a list: where its count is, and the size of an element, which parse() gets. */
	uint16_t count;
	uint16_t size;
	enum option_act act : 6;
	bool repeats : 1;  /* a list in the file; the option may be given many times */
	bool required : 1; /* in its section */
};

extern const struct setting settings[];
extern const size_t settings_count;

/* "daemon"; whether there may be many, each with a name. */
const char *section_name(enum section section);
bool section_has_name(enum section section);

/* The functions below return 0, or a negative errno after logging. */

/* Stores a value; an element of a list is added. */
int settings_set(struct draft *draft, const struct setting *setting, const struct value *value);

/* The same for the setting of that name. */
int settings_set_named(struct draft *draft, enum section section, const char *name,
		       const struct value *value);

/* Begins a section with a name; settings_set() is about it until settings_end_item() adds it to the
 * configuration. */
void settings_begin_item(struct draft *draft, const struct value *name);
int settings_end_item(struct draft *draft, enum section section);

/* Once all is said: what options said in any order, default listeners, and whether a stranger could
 * use one. */
int settings_finish_listeners(struct draft *draft);
int settings_finish_exits(struct draft *draft);
int settings_finish_portal(const struct config *config);

#endif
