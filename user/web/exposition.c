/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "web/exposition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "web/accept.h"

#define SIZE_FIRST 16384
#define NUMBER_MAX 32

static void put_bytes(struct exposition *out, const char *bytes, size_t len)
{
	if (!out->failed && out->len + len + 1 > out->size) {
		const size_t wanted = out->size ? 2 * out->size : SIZE_FIRST;
		const size_t size = wanted > out->len + len ? wanted : out->len + len + 1;
		char *grown = realloc(out->text, size);

		out->failed = !grown;
		out->text = grown ? grown : out->text;
		out->size = grown ? size : out->size;
	}
	if (out->failed)
		return;
	memcpy(out->text + out->len, bytes, len);
	out->len += len;
	out->text[out->len] = '\0';
}

static void put_text(struct exposition *out, const char *text)
{
	put_bytes(out, text, strlen(text));
}

/* Of the character that begins here; 0: none does. */
static size_t utf8_length(const unsigned char *at)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const size_t len = *at < 0x80	? 1
			   : *at < 0xc0 ? 0
			   : *at < 0xe0 ? 2
			   : *at < 0xf0 ? 3
			   : *at < 0xf8 ? 4
					: 0;
	uint32_t code = *at & (0x7fU >> len);

	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3fU);
	}
	if (len > 1 && (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)))
		return 0;
	return len;
}

/* Names come from files and other hosts: what would end the text is escaped, and what is no UTF-8,
 * for which a scraper would refuse all, becomes a question mark. */
static void put_label_text(struct exposition *out, const char *text)
{
	while (*text) {
		const size_t len = utf8_length((const unsigned char *)text);

		if (*text == '\n')
			put_text(out, "\\n");
		else if (*text == '"' || *text == '\\')
			put_bytes(out, (const char[]){'\\', *text}, 2);
		else if (len == 0)
			put_text(out, "?");
		else
			put_bytes(out, text, len);
		text += len ? len : 1;
	}
}

static void put_label(struct exposition *out, bool first, const char *label, const char *text)
{
	put_text(out, first ? "{" : ",");
	put_text(out, label);
	put_text(out, "=\"");
	put_label_text(out, text);
	put_text(out, "\"");
}

/* As short as it reads back the same. */
static const char *number(double value, char text[static NUMBER_MAX])
{
	for (int digits = 15; digits <= 17; digits += 2) {
		snprintf(text, NUMBER_MAX, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return text;
}

static const char *suffix_of(enum metric_type type)
{
	switch (type) {
	case METRIC_COUNTER:
		return "_total";
	case METRIC_INFO:
		return "_info";
	default:
		return "";
	}
}

static void put_sample(struct exposition *out, const char *value, va_list labels)
{
	bool first = true;
	const char *label;

	put_text(out, out->name);
	put_text(out, suffix_of(out->type));
	while ((label = va_arg(labels, const char *))) {
		put_label(out, first, label, va_arg(labels, const char *));
		first = false;
	}
	put_text(out, first ? " " : "} ");
	put_text(out, value);
	put_text(out, "\n");
}

void exposition_count(struct exposition *out, uint64_t value, ...)
{
	char text[NUMBER_MAX];
	va_list labels;

	snprintf(text, sizeof(text), "%" PRIu64, value);
	va_start(labels, value);
	put_sample(out, text, labels);
	va_end(labels);
}

void exposition_value(struct exposition *out, double value, ...)
{
	char text[NUMBER_MAX];
	va_list labels;

	va_start(labels, value);
	put_sample(out, number(value, text), labels);
	va_end(labels);
}

void exposition_family(struct exposition *out, enum metric_type type, const char *name,
		       const char *help)
{
	static const char *const words[][2] = {
		[METRIC_GAUGE] = {"gauge", "gauge"},
		[METRIC_COUNTER] = {"counter", "counter"},
		[METRIC_HISTOGRAM] = {"histogram", "histogram"},
		[METRIC_INFO] = {"gauge", "info"},
	};
	/* There the family is called as its samples are. */
	const char *suffix = out->form == EXPOSITION_TEXT ? suffix_of(type) : "";
	const char *const heads[][2] = {{"# HELP ", help}, {"# TYPE ", words[type][out->form]}};

	out->name = name;
	out->type = type;
	for (size_t i = 0; i < 2; i++) {
		put_text(out, heads[i][0]);
		put_text(out, name);
		put_text(out, suffix);
		put_text(out, " ");
		put_text(out, heads[i][1]);
		put_text(out, "\n");
	}
}

static void put_of_histogram(struct exposition *out, const char *suffix, const char *label,
			     const char *text, const char *bound, const char *value)
{
	put_text(out, out->name);
	put_text(out, suffix);
	if (label)
		put_label(out, true, label, text);
	if (bound)
		put_label(out, !label, "le", bound);
	put_text(out, label || bound ? "} " : " ");
	put_text(out, value);
	put_text(out, "\n");
}

/* OpenMetrics wants floating-point numbers; the same text in both forms, as it makes the series. */
static const char *bound_of(size_t i, char text[static NUMBER_MAX])
{
	if (i == HISTOGRAM_BOUNDS)
		return "+Inf";
	number(histogram_bounds[i], text);
	if (!strpbrk(text, ".e"))
		snprintf(text + strlen(text), NUMBER_MAX - strlen(text), ".0");
	return text;
}

void exposition_histogram(struct exposition *out, const struct histogram *histogram,
			  const char *label, const char *text)
{
	char bound[NUMBER_MAX];
	char value[NUMBER_MAX];
	uint64_t count = 0;

	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		count += histogram->counts[i];
		snprintf(value, sizeof(value), "%" PRIu64, count);
		put_of_histogram(out, "_bucket", label, text, bound_of(i, bound), value);
	}
	put_of_histogram(out, "_count", label, text, NULL, value);
	put_of_histogram(out, "_sum", label, text, NULL, number(histogram->sum_s, value));
}

bool exposition_end(struct exposition *out)
{
	if (out->form == EXPOSITION_OPENMETRICS)
		put_text(out, "# EOF\n");
	if (out->failed) {
		free(out->text);
		out->text = NULL;
	}
	return !out->failed;
}

enum exposition_form exposition_choose(const char *accept)
{
	static const char openmetrics[] = "application/openmetrics-text";
	const double weight = accept_weight(accept, openmetrics, true);

	return weight > 0 && weight >= accept_weight(accept, openmetrics, false)
		       ? EXPOSITION_OPENMETRICS
		       : EXPOSITION_TEXT;
}

const char *exposition_content_type(enum exposition_form form)
{
	return form == EXPOSITION_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}
