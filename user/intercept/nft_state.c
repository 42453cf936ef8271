/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nftables says of our table, made readable. The format is that of libnftables-json(5). */
#include "intercept/nft_state.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "config/intercept_method.h"

#define ELEMENT_TEXT_MAX 128

/* An array of the object, made if need be. */
static struct json_object *array_of(struct json_object *object, const char *key)
{
	struct json_object *array = json_member(object, key);

	if (!array) {
		array = json_object_new_array();
		json_object_object_add(object, key, array);
	}
	return array;
}

/* "br-lan", 22, {"prefix": {...}}, {"range": [...]}. */
static void element_text(struct json_object *element, char out[ELEMENT_TEXT_MAX])
{
	struct json_object *prefix = json_member(element, "prefix");
	struct json_object *range = json_member(element, "range");

	if (prefix)
		snprintf(out, ELEMENT_TEXT_MAX, "%s/%s", json_text(prefix, "addr"),
			 json_text(prefix, "len"));
	else if (json_length(range) == 2)
		snprintf(out, ELEMENT_TEXT_MAX, "%s-%s",
			 json_object_get_string(json_object_array_get_idx(range, 0)),
			 json_object_get_string(json_object_array_get_idx(range, 1)));
	else
		snprintf(out, ELEMENT_TEXT_MAX, "%s", json_object_get_string(element));
}

static void add_elements(struct json_object *array, struct json_object *elements)
{
	for (size_t i = 0; i < json_length(elements); i++) {
		char text[ELEMENT_TEXT_MAX];

		element_text(json_object_array_get_idx(elements, i), text);
		json_object_array_add(array, json_object_new_string(text));
	}
}

/* Elements as {"elem": {"val": {"concat": ["192.0.2.1", 80]}, "expires": 3599, ...}}. */
static void add_auto_bypass(struct json_object *array, struct json_object *elements)
{
	for (size_t i = 0; i < json_length(elements); i++) {
		struct json_object *element =
			json_member(json_object_array_get_idx(elements, i), "elem");
		struct json_object *concat = json_member(json_member(element, "val"), "concat");
		struct json_object *row = json_object_new_object();
		char text[ELEMENT_TEXT_MAX];
		const char *ip;

		if (json_length(concat) != 2 || !row) {
			json_object_put(row);
			continue;
		}
		ip = json_object_get_string(json_object_array_get_idx(concat, 0));
		snprintf(text, sizeof(text), strchr(ip, ':') ? "[%s]:%s" : "%s:%s", ip,
			 json_object_get_string(json_object_array_get_idx(concat, 1)));
		json_object_object_add(row, "destination", json_object_new_string(text));
		json_object_object_add(row, "expires_s",
				       json_object_get(json_member(element, "expires")));
		json_object_array_add(array, row);
	}
}

static void take_set(struct json_object *state, struct json_object *set)
{
	static const char prefix[] = "bypass_";
	const char *name = json_text(set, "name");
	struct json_object *elements = json_member(set, "elem");
	char kind[32];

	if (strcmp(name, "lan") == 0) {
		add_elements(array_of(state, "lan"), elements);
	} else if (strncmp(name, "auto_", 5) == 0) {
		add_auto_bypass(array_of(state, "auto_bypass"), elements);
	} else if (strncmp(name, prefix, strlen(prefix)) == 0) {
		/* "bypass_source4" and "bypass_source6" are one list. */
		snprintf(kind, sizeof(kind), "%s", name + strlen(prefix));
		kind[strcspn(kind, "46")] = '\0';
		add_elements(array_of(json_member(state, "bypass"), kind), elements);
	}
}

static void take_object(struct json_object *state, struct json_object *object)
{
	struct json_object *counter = json_member(object, "counter");
	struct json_object *chain = json_member(object, "chain");
	struct json_object *set = json_member(object, "set");

	if (counter)
		json_object_object_add(json_member(state, "counters"), json_text(counter, "name"),
				       json_object_get(json_member(counter, "packets")));
	else if (set)
		take_set(state, set);
	else if (chain && strcmp(json_text(chain, "hook"), "prerouting") == 0)
		json_object_object_add(
			state, "method",
			json_object_new_string(
				intercept_method_words[strcmp(json_text(chain, "type"), "nat") == 0
							       ? INTERCEPT_REDIRECT
							       : INTERCEPT_TPROXY]));
}

struct json_object *intercept_state(const char *listing)
{
	struct json_object *state = json_object_new_object();
	struct json_object *parsed;
	struct json_object *objects;

	if (!state)
		return NULL;
	json_object_object_add(state, "up", json_object_new_boolean(listing != NULL));
	if (!listing)
		return state;
	parsed = json_tokener_parse(listing);
	objects = json_member(parsed, "nftables");
	if (!objects) {
		json_object_put(parsed);
		json_object_put(state);
		return NULL;
	}
	json_object_object_add(state, "counters", json_object_new_object());
	json_object_object_add(state, "bypass", json_object_new_object());
	for (size_t i = 0; i < json_length(objects); i++)
		take_object(state, json_object_array_get_idx(objects, i));
	json_object_put(parsed);
	return state;
}
