/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads json-c objects of which any member may be missing. */
#ifndef HAWSER_BASE_JSON_H
#define HAWSER_BASE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An object, array or value that object keeps; NULL, which all of these take, when it is missing.
 */
struct json_object *json_member(struct json_object *object, const char *key);

uint64_t json_count(struct json_object *object, const char *key);
double json_seconds(struct json_object *object, const char *key);

/* The object's; "" when missing. */
const char *json_text(struct json_object *object, const char *key);

/* Whether both have the same text under this key; a missing one is "". */
bool json_same(struct json_object *a, struct json_object *b, const char *key);

/* Elements; 0 of what is no array. */
size_t json_length(struct json_object *array);

/* {"error": text}, which answers a request that cannot be served. */
struct json_object *json_error(const char *text);

#endif
