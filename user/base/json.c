/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads json-c objects of which any member may be missing. */
#include "base/json.h"

#include <string.h>

struct json_object *json_member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

uint64_t json_count(struct json_object *object, const char *key)
{
	return json_object_get_uint64(json_member(object, key));
}

double json_seconds(struct json_object *object, const char *key)
{
	return json_object_get_double(json_member(object, key));
}

const char *json_text(struct json_object *object, const char *key)
{
	const char *text = json_object_get_string(json_member(object, key));

	return text ? text : "";
}

bool json_same(struct json_object *a, struct json_object *b, const char *key)
{
	return strcmp(json_text(a, key), json_text(b, key)) == 0;
}

size_t json_length(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

struct json_object *json_error(const char *text)
{
	struct json_object *answer = json_object_new_object();

	json_object_object_add(answer, "error", json_object_new_string(text));
	return answer;
}
