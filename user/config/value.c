/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of the configuration that are words, numbers and paths. */
#include "config/value.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/quantity.h"

#define DIGITS	    "0123456789"
#define SECOND_US   1000000
#define SECONDS_MIN 0.1
#define SECONDS_MAX 604800.0 /* a week */

void value_log(enum log_level level, const struct value *value, const char *format, ...)
{
	const bool is_part = value->text && strcmp(value->text, value->typed) != 0;
	char message[640];
	size_t used = 0;
	va_list args;

	if (is_part)
		used = (size_t)snprintf(message, sizeof(message), "\"%.128s\": ", value->text);
	va_start(args, format);
	vsnprintf(message + used, sizeof(message) - used, format, args);
	va_end(args);
	if (value->file)
		log_write(level, "%s:%u: %s \"%s\": %s", value->file, value->line, value->name,
			  value->typed, message);
	else
		log_write(level, "%s %s: %s", value->name, value->typed, message);
}

int value_refuse_no_memory(const struct value *value)
{
	value_log(LOG_LEVEL_ERROR, value, "%s", strerror(ENOMEM));
	return -ENOMEM;
}

void value_list_words(const char *const *words, char *out, size_t size)
{
	size_t used = 0;

	for (*out = '\0'; *words && used < size; words++) {
		const char *before = words[1] ? ", " : " or ";

		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? before : "",
					 *words);
	}
}

int value_word(const struct value *value, const struct limits *limits, void *out)
{
	char expected[128];

	for (unsigned int i = 0; limits->words[i]; i++) {
		if (strcmp(limits->words[i], value->text) == 0) {
			*(unsigned int *)out = i;
			return 0;
		}
	}
	value_list_words(limits->words, expected, sizeof(expected));
	return value_refuse(value, "expected %s", expected);
}

int value_boolean(const struct value *value, const struct limits *limits, void *out)
{
	/* Even ones are on. */
	static const char *const words[] = {"on", "off", "yes", "no", NULL};
	unsigned int word = 0;
	int err = value_word(value, &(struct limits){.words = words}, &word);

	(void)limits;
	*(bool *)out = word % 2 == 0;
	return err;
}

int value_denial(const struct value *value, const struct limits *limits, void *out)
{
	bool *denied = out;
	int err = value_boolean(value, limits, denied);

	*denied = !*denied;
	return err;
}

int value_number(const struct value *value, const struct limits *limits, void *out)
{
	uint64_t number;

	if (!quantity_parse(value->text, quantity_plain, 1, limits->least, limits->most, &number))
		return value_refuse(value, "expected a whole number from %u to %u", limits->least,
				    limits->most);
	*(uint32_t *)out = (uint32_t)number;
	return 0;
}

int value_bytes(const struct value *value, const struct limits *limits, void *out)
{
	uint64_t number;

	if (!quantity_parse(value->text, quantity_powers, 1, limits->least, limits->most, &number))
		return value_refuse(value, "expected a number of bytes from %u to %u",
				    limits->least, limits->most);
	*(uint32_t *)out = (uint32_t)number;
	return 0;
}

int value_size(const struct value *value, const struct limits *limits, void *out)
{
	(void)limits;
	if (!quantity_parse(value->text, quantity_powers, 1, 1, UINT64_MAX, out))
		return value_refuse(value, "expected a number of bytes, as 500M or 20G");
	return 0;
}

int value_rate(const struct value *value, const struct limits *limits, void *out)
{
	uint64_t *rate = out;

	(void)limits;
	if (!quantity_parse(value->text, quantity_powers, 1, 1, UINT64_MAX - 7, rate))
		return value_refuse(value, "expected bits per second, as 64000 or 50M");
	*rate = (*rate + 7) / 8;
	return 0;
}

int value_time(const struct value *value, const struct limits *limits, void *out)
{
	const uint64_t unit = limits->unit_us;
	char words[64] = "";
	uint64_t us;

	if (!quantity_parse(value->text, quantity_times_us, unit, limits->least * unit,
			    limits->most * unit, &us) ||
	    us % unit != 0) {
		if (limits->words)
			value_list_words(limits->words, words, sizeof(words));
		return value_refuse(value, "expected %s%s%u to %u %s, also as 500us, 4ms or 2s",
				    words, *words ? ", or " : "", limits->least, limits->most,
				    unit == 1		? "microseconds"
				    : unit == SECOND_US ? "seconds"
							: "milliseconds");
	}
	*(uint32_t *)out = (uint32_t)(us / unit);
	return 0;
}

int value_seconds(const struct value *value, const struct limits *limits, void *out)
{
	const char *suffix = value->text + strspn(value->text, DIGITS ".");
	const uint64_t scale = quantity_scale(quantity_times_us, suffix, SECOND_US);
	char words[64] = "";
	double seconds;
	char *end;

	/* strtod() also takes "0x1p3", "inf" and " 1". */
	seconds = strtod(value->text, &end) * (double)scale / (double)SECOND_US;
	if (suffix == value->text || end != suffix || scale == 0 || seconds < SECONDS_MIN ||
	    seconds > SECONDS_MAX) {
		if (limits->words)
			value_list_words(limits->words, words, sizeof(words));
		return value_refuse(value,
				    "expected %s%sa time from %.1f to %.0f seconds, as 90, 2.5, "
				    "15m or 1h",
				    words, *words ? ", or " : "", SECONDS_MIN, SECONDS_MAX);
	}
	*(double *)out = seconds;
	return 0;
}

int value_text(const struct value *value, const struct limits *limits, void *out)
{
	char **text = out;
	char *copy = strdup(value->text);

	(void)limits;
	if (!copy)
		return value_refuse_no_memory(value);
	free(*text);
	*text = copy;
	return 0;
}

int value_directory(const struct value *value, const struct limits *limits, void *out)
{
	if (value->text[0] != '/')
		return value_refuse(value, "expected the path of a directory that begins with /");
	return value_text(value, limits, out);
}

int value_socket_path(const struct value *value, const struct limits *limits, void *out)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (!*value->text || strlen(value->text) > max)
		return value_refuse(value, "expected the path of a socket, 1 to %zu bytes", max);
	return value_text(value, limits, out);
}

int value_keep(const struct value *value, const struct limits *limits, void *out)
{
	(void)limits;
	*(struct value *)out = *value;
	return 0;
}
