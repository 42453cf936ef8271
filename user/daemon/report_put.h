/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How answers are built with json-c. Out of memory, members are null or missing. */
#ifndef HAWSER_DAEMON_REPORT_PUT_H
#define HAWSER_DAEMON_REPORT_PUT_H

#include <json-c/json.h>
#include <stdint.h>

/* Takes the value. All keys are literals, or names that live as long as the program. */
static inline void put(struct json_object *object, const char *key, struct json_object *value)
{
	if (!object || json_object_object_add_ex(object, key, value,
						 JSON_C_OBJECT_ADD_KEY_IS_NEW |
							 JSON_C_OBJECT_ADD_CONSTANT_KEY) < 0)
		json_object_put(value);
}

static inline void put_count(struct json_object *object, const char *key, uint64_t count)
{
	put(object, key, json_object_new_uint64(count));
}

static inline void put_text(struct json_object *object, const char *key, const char *text)
{
	put(object, key, json_object_new_string(text));
}

/* Two counts. */
static inline struct json_object *report_pair(const char *first, uint64_t first_count,
					      const char *second, uint64_t second_count)
{
	struct json_object *object = json_object_new_object();

	put_count(object, first, first_count);
	put_count(object, second, second_count);
	return object;
}

/* In milliseconds at best. */
static inline void put_seconds(struct json_object *object, const char *key, double seconds)
{
	struct json_object *value = json_object_new_double(seconds);

	if (value)
		json_object_set_serializer(value, json_object_double_to_json_string, "%.3f", NULL);
	put(object, key, value);
}

static inline void append(struct json_object *array, struct json_object *value)
{
	if (!array || json_object_array_add(array, value) < 0)
		json_object_put(value);
}

#endif
