/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metrics as text, in the two forms that scrapers understand: Prometheus' text format 0.0.4, and
 * OpenMetrics 1.0. Pure. */
#ifndef HAWSER_WEB_EXPOSITION_H
#define HAWSER_WEB_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct histogram;

enum exposition_form { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM, METRIC_INFO };

/* All zero but for form at the start. Out of memory it stays empty. */
struct exposition {
	enum exposition_form form;
	char *text; /* malloc'ed, NUL-terminated once there is any; the caller's */
	size_t len;
	size_t size;
	bool failed;
	const char *name; /* of the family that the next samples are of */
	enum metric_type type;
};

/* The form that a client prefers by its Accept header; NULL: none was sent. */
enum exposition_form exposition_choose(const char *accept);

/* For the Content-Type header. */
const char *exposition_content_type(enum exposition_form form);

/* What follows are samples of this metric. name is without _total or _info, and kept; help has
 * neither newline nor backslash. */
void exposition_family(struct exposition *out, enum metric_type type, const char *name,
		       const char *help);

/* A sample. Pairs of label and text follow, and NULL ends them. */
void exposition_count(struct exposition *out, uint64_t value, ...) __attribute__((sentinel));
void exposition_value(struct exposition *out, double value, ...) __attribute__((sentinel));

/* All samples of a histogram, with one label; NULL: without. */
void exposition_histogram(struct exposition *out, const struct histogram *histogram,
			  const char *label, const char *text);

/* Nothing follows. False without memory: then text is NULL. */
bool exposition_end(struct exposition *out);

#endif
