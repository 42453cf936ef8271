/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KEY[-up|-down]=VALUE; without a suffix for both directions. */
#include "emulator_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1e6
#define KEY_BYTES 16
/* The queue that nobody asked for: what a link can have under way, but not less than a modem's. */
#define QUEUE_LEAST_NS	  50000000
#define QUEUE_LEAST_BYTES 16000

void link_settings_init(struct link_settings *settings)
{
	*settings = (struct link_settings){.carrier = true};
}

static bool parse_number(const char *text, double lowest, double highest, const char *unit,
			 double *value, char *complaint, size_t size)
{
	char *end;

	*value = strtod(text, &end);
	if (end != text && strcmp(end, unit) == 0 && *value >= lowest && *value <= highest)
		return true;
	snprintf(complaint, size, "not a number from %.15g to %.15g%s%s", lowest, highest,
		 *unit ? " with unit " : "", unit);
	return false;
}

static bool parse_switch(const char *text, bool *value, char *complaint, size_t size)
{
	*value = strcmp(text, "on") == 0;
	if (*value || strcmp(text, "off") == 0)
		return true;
	snprintf(complaint, size, "not on or off");
	return false;
}

typedef bool apply_fn(struct link_settings *settings, enum direction direction, const char *text,
		      char *complaint, size_t size);

static bool apply_rate(struct link_settings *settings, enum direction direction, const char *text,
		       char *complaint, size_t size)
{
	double mbits = 0;

	if (strcmp(text, "none") != 0 &&
	    !parse_number(text, 0.01, 100000, "", &mbits, complaint, size)) {
		strncat(complaint, " (Mbit/s), or none", size - strlen(complaint) - 1);
		return false;
	}
	settings->paths[direction].bits_per_s = mbits * 1e6;
	return true;
}

static bool apply_delay(struct link_settings *settings, enum direction direction, const char *text,
			char *complaint, size_t size)
{
	double ms;

	if (!parse_number(text, 0, 60000, "", &ms, complaint, size))
		return false;
	settings->paths[direction].delay_ns = (uint64_t)(ms * NS_PER_MS);
	return true;
}

static bool apply_jitter(struct link_settings *settings, enum direction direction, const char *text,
			 char *complaint, size_t size)
{
	double ms;

	if (!parse_number(text, 0, 60000, "", &ms, complaint, size))
		return false;
	settings->paths[direction].jitter_ns = (uint64_t)(ms * NS_PER_MS);
	return true;
}

static bool apply_loss(struct link_settings *settings, enum direction direction, const char *text,
		       char *complaint, size_t size)
{
	double percent;

	if (!parse_number(text, 0, 100, "", &percent, complaint, size))
		return false;
	settings->paths[direction].loss = percent / 100;
	return true;
}

static bool apply_queue(struct link_settings *settings, enum direction direction, const char *text,
			char *complaint, size_t size)
{
	size_t length = strlen(text);
	bool in_ms = length > 2 && strcmp(text + length - 2, "ms") == 0;
	double number = 0;

	if (strcmp(text, "auto") != 0 &&
	    !parse_number(text, in_ms ? 0.1 : 1, in_ms ? 60000 : 1e9, in_ms ? "ms" : "", &number,
			  complaint, size)) {
		strncat(complaint, " (bytes, or ms of the rate with unit ms), or auto",
			size - strlen(complaint) - 1);
		return false;
	}
	settings->queues[direction].bytes = in_ms ? 0 : (uint64_t)number;
	settings->queues[direction].ns = in_ms ? (uint64_t)(number * NS_PER_MS) : 0;
	return true;
}

static bool apply_blackhole(struct link_settings *settings, enum direction direction,
			    const char *text, char *complaint, size_t size)
{
	return parse_switch(text, &settings->paths[direction].blackhole, complaint, size);
}

static const struct {
	const char *name;
	apply_fn *apply;
} keys[] = {
	{"rate", apply_rate}, {"delay", apply_delay}, {"jitter", apply_jitter},
	{"loss", apply_loss}, {"queue", apply_queue}, {"blackhole", apply_blackhole},
};

static apply_fn *find_key(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i].name) == length && strncmp(keys[i].name, name, length) == 0)
			return keys[i].apply;
	return NULL;
}

static bool ends_in(const char *name, size_t length, const char *suffix)
{
	size_t suffix_length = strlen(suffix);

	return length > suffix_length &&
	       strncmp(name + length - suffix_length, suffix, suffix_length) == 0;
}

static bool apply(struct link_settings *settings, const char *name, size_t length,
		  const char *value, char *complaint, size_t size)
{
	bool up = ends_in(name, length, "-up");
	bool down = ends_in(name, length, "-down");
	apply_fn *apply_key;

	if (length == strlen("carrier") && strncmp(name, "carrier", length) == 0)
		return parse_switch(value, &settings->carrier, complaint, size);
	length -= up ? strlen("-up") : down ? strlen("-down") : 0;
	apply_key = find_key(name, length);
	if (!apply_key) {
		snprintf(complaint, size,
			 "not rate, delay, jitter, loss, queue or blackhole, each also with -up or "
			 "-down, or carrier");
		return false;
	}
	return (down || apply_key(settings, DIRECTION_UP, value, complaint, size)) &&
	       (up || apply_key(settings, DIRECTION_DOWN, value, complaint, size));
}

bool link_settings_apply(struct link_settings *settings, const char *word, char *complaint,
			 size_t size)
{
	const char *equals = strchr(word, '=');

	if (!equals) {
		snprintf(complaint, size, "not KEY=VALUE");
		return false;
	}
	return apply(settings, word, (size_t)(equals - word), equals + 1, complaint, size);
}

static uint64_t bytes_in(const struct path_settings *path, uint64_t ns)
{
	return (uint64_t)(path->bits_per_s / 8 * ((double)ns / 1e9));
}

static uint64_t auto_queue_bytes(const struct path_settings *path, uint64_t round_trip_ns)
{
	uint64_t bytes =
		bytes_in(path, round_trip_ns > QUEUE_LEAST_NS ? round_trip_ns : QUEUE_LEAST_NS);

	return bytes > QUEUE_LEAST_BYTES ? bytes : QUEUE_LEAST_BYTES;
}

bool link_settings_complete(struct link_settings *settings, char *complaint, size_t size)
{
	uint64_t round_trip_ns = 0;

	for (int i = 0; i < DIRECTIONS; i++) {
		if (settings->paths[i].jitter_ns > settings->paths[i].delay_ns) {
			snprintf(complaint, size, "jitter is more than delay");
			return false;
		}
		round_trip_ns += settings->paths[i].delay_ns;
	}
	for (int i = 0; i < DIRECTIONS; i++) {
		struct path_settings *path = &settings->paths[i];

		if (settings->queues[i].bytes)
			path->queue_bytes = settings->queues[i].bytes;
		else if (settings->queues[i].ns)
			path->queue_bytes = bytes_in(path, settings->queues[i].ns);
		else
			path->queue_bytes = auto_queue_bytes(path, round_trip_ns);
	}
	return true;
}
