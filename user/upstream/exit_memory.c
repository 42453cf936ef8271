/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file in which the addresses of exits survive: {"exits": {"vps": {"at": "vps.example:1080",
 * "addresses": ["192.0.2.7"]}}}. Only addresses at which the exit has proved itself. */
#include "upstream/exit_memory.h"

#include <ev.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text_saver.h"
#include "config/config.h"
#include "shared/exit_state.h"

#define FILE_NAME "exits.json"
#define LOOK_S	  2.
/* An exit that has many addresses answers at one and then another: flash wears out. */
#define AGAIN_S 600.

struct exit_memory {
	struct ev_loop *loop;
	const struct config *config; /* NULL: none yet */
	char *written;		     /* what the file says; NULL: not known */
	double written_s;
	struct text_saver *saver;
	int error; /* that was told of */
	ev_timer look;
};

static bool is_named(const struct exit_config *exit)
{
	return exit->place.destination.host[0] != '\0';
}

static struct json_object *describe_exit(const struct exit_config *exit)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_array();
	union address known[EXIT_ADDRESSES_MAX];
	const size_t count = exit_state_get_addresses(exit->state, known);
	char text[DESTINATION_TEXT_MAX];

	json_object_object_add(
		object, "at",
		json_object_new_string(destination_format(&exit->place.destination, text)));
	for (size_t i = 0; i < count; i++)
		json_object_array_add(list,
				      json_object_new_string(address_format_ip(&known[i], text)));
	json_object_object_add(object, "addresses", list);
	return object;
}

/* As the file shall be, malloc'ed; NULL: of no exit there is anything to be said. */
static char *describe(const struct config *config)
{
	struct json_object *root = json_object_new_object();
	struct json_object *exits = json_object_new_object();
	char *text = NULL;
	bool any = false;

	json_object_object_add(root, "exits", exits);
	for (size_t i = 0; i < config->exit_count; i++) {
		const struct exit_config *exit = &config->exits[i];
		union address known[EXIT_ADDRESSES_MAX];

		if (!is_named(exit) || exit_state_get_addresses(exit->state, known) == 0)
			continue;
		json_object_object_add(exits, exit->name, describe_exit(exit));
		any = true;
	}
	if (any)
		text = strdup(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY));
	json_object_put(root);
	return text;
}

static void on_saved(void *owner, const char *directory, int err)
{
	struct exit_memory *memory = owner;

	if (err && err != memory->error)
		log_warning("exits: cannot write %s/" FILE_NAME ": %s; a start without a name "
			    "server will not find the exits",
			    directory, strerror(-err));
	memory->error = err;
}

static void save(struct exit_memory *memory)
{
	char *text = describe(memory->config);

	if (!text || (memory->written && strcmp(text, memory->written) == 0)) {
		free(text);
		return;
	}
	text_saver_put(memory->saver, memory->config->state_dir, text);
	memory->written_s = clock_monotonic_s();
	free(memory->written);
	memory->written = text;
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct exit_memory *memory = timer->data;

	(void)loop;
	(void)events;
	if (memory->written_s == 0. || clock_monotonic_s() - memory->written_s >= AGAIN_S)
		save(memory);
}

static void recall_exit(const struct exit_config *exit, struct json_object *exits)
{
	struct json_object *object = json_member(exits, exit->name);
	struct json_object *list = json_member(object, "addresses");
	char text[DESTINATION_TEXT_MAX];
	union address known[EXIT_ADDRESSES_MAX];

	if (!is_named(exit) || exit_state_get_addresses(exit->state, known) > 0 ||
	    strcmp(json_text(object, "at"), destination_format(&exit->place.destination, text)) !=
		    0)
		return;
	for (size_t i = 0; i < json_length(list); i++) {
		const char *address = json_object_get_string(json_object_array_get_idx(list, i));
		struct prefix prefix;

		if (address && prefix_parse(address, &prefix) == 0)
			exit_state_set_address(exit->state, &prefix.base);
	}
}

/* Of the file in the directory; NULL: it makes no sense. */
static struct json_object *read_file(const char *directory)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/" FILE_NAME, directory) >= sizeof(path))
		return NULL;
	return json_object_from_file(path);
}

/* What makes no sense says nothing; the exits' names do. */
static void recall(struct exit_memory *memory, const struct config *config)
{
	struct json_object *root = memory->written ? json_tokener_parse(memory->written)
						   : read_file(config->state_dir);

	for (size_t i = 0; i < config->exit_count; i++)
		recall_exit(&config->exits[i], json_member(root, "exits"));
	if (root && !memory->written)
		memory->written =
			strdup(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY));
	json_object_put(root);
}

void exit_memory_configure(struct exit_memory *memory, const struct config *config)
{
	const struct config *old = memory->config;
	bool any = false;

	if (old)
		save(memory);
	/* What was written before may wait for a slow disk. */
	if (old && strcmp(old->state_dir, config->state_dir) != 0) {
		free(memory->written);
		memory->written = NULL;
		memory->written_s = 0;
	}
	memory->config = config_get(config);
	config_put(old);
	for (size_t i = 0; i < config->exit_count; i++)
		any = any || is_named(&config->exits[i]);
	ev_timer_stop(memory->loop, &memory->look);
	if (!any)
		return;
	recall(memory, config);
	ev_timer_again(memory->loop, &memory->look);
}

struct exit_memory *exit_memory_open(struct ev_loop *loop)
{
	struct exit_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->saver = text_saver_open(loop, FILE_NAME, on_saved, memory);
	if (!memory->saver) {
		free(memory);
		return NULL;
	}
	memory->loop = loop;
	ev_timer_init(&memory->look, on_look, 0., LOOK_S);
	memory->look.data = memory;
	return memory;
}

void exit_memory_close(struct exit_memory *memory)
{
	if (!memory)
		return;
	if (memory->config)
		save(memory);
	text_saver_close(memory->saver);
	ev_timer_stop(memory->loop, &memory->look);
	config_put(memory->config);
	free(memory->written);
	free(memory);
}
