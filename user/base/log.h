/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines to standard error, whole even when several threads write. Nobody waits for who reads it. */
#ifndef HAWSER_BASE_LOG_H
#define HAWSER_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Any thread, any time. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* From now on a line also has what its reader does not add: the time of day, on a terminal or in a
 * file; the priority, for systemd's journal (sd-daemon(3)). Before other threads start. */
void log_begin_service(void);

/* Writes one line "LEVEL: message", for info without the level; a message longer than 1000 bytes is
 * cut. A line that standard error cannot take at once is dropped and counted. Keeps errno. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Until the next call, what this thread warns of and its errors are also put into out, "; " between
 * them. NULL: nowhere. */
void log_collect(char *out, size_t size);

/* Lines, since start. The next line that is written says so. */
uint64_t log_dropped(void);

#define log_error(...)	 log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_get_level() >= LOG_LEVEL_DEBUG)                                            \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                   \
	} while (0)

#endif
