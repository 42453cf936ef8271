/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks for the answers, of two made-up workers: the linker puts __wrap_NAME in place of the
 * worker's NAME. */
#ifndef HAWSER_REPORT_FIXTURE_H
#define HAWSER_REPORT_FIXTURE_H

#include "daemon/report.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

#include "config/config.h"
#include "daemon/worker.h"
#include "net/kernel.h"

struct fake_worker {
	struct stats stats;
	const struct session_row *rows;
	size_t row_count;
};

void __wrap_worker_get_stats(struct worker *worker, struct stats *out);
struct session_row *__wrap_worker_get_sessions(struct worker *worker, size_t max, size_t *count,
					       size_t *all);

void __wrap_worker_get_stats(struct worker *worker, struct stats *out)
{
	*out = ((struct fake_worker *)worker)->stats;
}

struct session_row *__wrap_worker_get_sessions(struct worker *worker, size_t max, size_t *count,
					       size_t *all)
{
	const struct fake_worker *fake = (struct fake_worker *)worker;
	size_t bytes = fake->row_count * sizeof(*fake->rows);
	struct session_row *rows = bytes ? malloc(bytes) : NULL;

	(void)max;
	*count = fake->row_count;
	*all += fake->row_count;
	if (rows)
		memcpy(rows, fake->rows, bytes);
	return rows;
}

bool __wrap_worker_holds(const struct worker *worker);

bool __wrap_worker_holds(const struct worker *worker)
{
	(void)worker;
	return false;
}

bool __wrap_worker_get_session(struct worker *worker, uint64_t id, struct session_detail *out);

/* A worker's rows, with two made-up subflows upstream. */
bool __wrap_worker_get_session(struct worker *worker, uint64_t id, struct session_detail *out)
{
	const struct fake_worker *fake = (struct fake_worker *)worker;

	for (size_t i = 0; i < fake->row_count; i++) {
		if (fake->rows[i].id != id)
			continue;
		*out = (struct session_detail){.row = fake->rows[i], .upstream_count = 2};
		out->upstream[0] = (struct subflow){.state = 1,
						    .rtt_us = 20001,
						    .cwnd = 10,
						    .bytes_sent = 1,
						    .bytes_received = 2,
						    .bytes_retransmitted = 3,
						    .retransmissions = 4,
						    .backup = SUBFLOW_BACKUP_NO};
		out->upstream[1].backup = SUBFLOW_BACKUP_YES;
		return true;
	}
	return false;
}

static inline double monotonic_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct sockmap *sockmap;

/* What these two workers lead to; text is the request, as JSON. */
static inline struct json_object *ask_with(const struct config *config,
					   struct fake_worker workers[2], const char *command,
					   const char *text)
{
	struct json_object *request = json_tokener_parse(text);
	struct worker *pointers[] = {(struct worker *)&workers[0], (struct worker *)&workers[1]};
	struct report_source source = {
		.config = config,
		.sockmap = sockmap,
		.workers = pointers,
		.worker_count = 2,
		.started = monotonic_seconds() - 100,
	};
	struct json_object *answer = report_answer(&source, command, request);

	json_object_put(request);
	assert_non_null(answer);
	return answer;
}

static inline struct json_object *ask(const struct config *config, struct fake_worker workers[2],
				      const char *command)
{
	return ask_with(config, workers, command, "{}");
}

static inline struct json_object *get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no member \"%s\"", key);
	return value;
}

static inline void assert_text(struct json_object *object, const char *key, const char *expected)
{
	assert_true(json_object_is_type(get(object, key), json_type_string));
	assert_string_equal(json_object_get_string(get(object, key)), expected);
}

static inline void assert_count(struct json_object *object, const char *key, uint64_t expected)
{
	assert_true(json_object_is_type(get(object, key), json_type_int));
	assert_int_equal(json_object_get_uint64(get(object, key)), expected);
}

static inline void assert_seconds(struct json_object *object, const char *key, const char *expected)
{
	assert_true(json_object_is_type(get(object, key), json_type_double));
	assert_string_equal(json_object_to_json_string(get(object, key)), expected);
}

static inline void assert_members(struct json_object *object, int expected)
{
	assert_true(json_object_is_type(object, json_type_object));
	assert_int_equal(json_object_object_length(object), expected);
}

#endif
