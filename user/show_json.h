/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in an answer; a missing member is 0 or "". */
#ifndef HAWSER_SHOW_JSON_H
#define HAWSER_SHOW_JSON_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

/* An object, array or value; NULL, which all getters here take, when it is missing. */
static inline struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

static inline uint64_t count_of(struct json_object *object, const char *key)
{
	return json_object_get_uint64(member(object, key));
}

static inline const char *text_of(struct json_object *object, const char *key)
{
	const char *text = json_object_get_string(member(object, key));

	return text ? text : "";
}

static inline double seconds_of(struct json_object *object, const char *key)
{
	return json_object_get_double(member(object, key));
}

static inline size_t length_of(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

#endif
