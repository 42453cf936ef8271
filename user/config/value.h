/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value of the configuration, from file or option alike: the kinds of values, parsed. */
#ifndef HAWSER_CONFIG_VALUE_H
#define HAWSER_CONFIG_VALUE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* A value as somebody wrote it, and where. All pointers are borrowed. */
struct value {
	const char *file; /* NULL on the command line */
	unsigned int line;
	const char *name;  /* "mptcp", or "--mptcp" on the command line */
	const char *typed; /* all that was written, for messages */
	const char *text;  /* the part of it that is meant; NULL: none in particular */
};

/* What a value may be; a kind looks at what it needs. */
struct limits {
	uint32_t least;
	uint32_t most;
	uint32_t unit_us;	  /* of a time without a unit */
	const char *const *words; /* NULL ends them */
};

/* Logs "FILE:LINE: NAME "TYPED": message", or "--NAME TYPED: message", with the part that is meant
 * in front of the message. */
void value_log(enum log_level level, const struct value *value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Its value is -EINVAL. */
#define value_refuse(value, ...) (value_log(LOG_LEVEL_ERROR, (value), __VA_ARGS__), -EINVAL)

/* The same for want of memory: -ENOMEM. */
int value_refuse_no_memory(const struct value *value);

/* Fills out with "first, second or third". */
void value_list_words(const char *const *words, char *out, size_t size);

/* A parser of a kind of values: stores at out what its comment says. 0, or a negative errno after
 * logging what is wrong and what is expected. */
#define VALUE_KIND(name) int name(const struct value *value, const struct limits *limits, void *out)

/* "on", "off", "yes" or "no": a bool, and its opposite. */
VALUE_KIND(value_boolean);
VALUE_KIND(value_denial);

/* The index of the value in limits->words: an enum. */
VALUE_KIND(value_word);

/* A whole number: uint32_t. */
VALUE_KIND(value_number);

/* Bytes, "500", "20G" (powers of 1000): uint32_t within the limits; uint64_t from 1. */
VALUE_KIND(value_bytes);
VALUE_KIND(value_size);

/* Bits per second, "64000", "50M": uint64_t, bytes per second. */
VALUE_KIND(value_rate);

/* "4", "4ms", "1h": uint32_t, in the unit that it has without a suffix. */
VALUE_KIND(value_time);

/* "90", "2.5", "15m": double, seconds, from 0.1 to a week. */
VALUE_KIND(value_seconds);

/* Any; of a directory, absolute; of a socket: char *, which is replaced. */
VALUE_KIND(value_text);
VALUE_KIND(value_directory);
VALUE_KIND(value_socket_path);

/* To be judged later: struct value. */
VALUE_KIND(value_keep);

/* "ADDR:PORT": union address. "HOST:PORT": struct destination. */
VALUE_KIND(value_address);
VALUE_KIND(value_destination);

/* "ADDR", or with a port: union address, of port 0 without. */
VALUE_KIND(value_announced);

/* "ADDR/BITS": struct prefix. */
VALUE_KIND(value_prefix);

/* Of an interface, of at most 15 bytes: char[IFNAMSIZ]. */
VALUE_KIND(value_interface);

/* "25", "6000-6063": struct port_range. "00:16:3e:0a:0b:0c": struct mac. "example.org": struct
 * domain. */
VALUE_KIND(value_ports);
VALUE_KIND(value_mac);
VALUE_KIND(value_domain);

#endif
