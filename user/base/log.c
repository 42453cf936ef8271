/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines to standard error, whole even when several threads write. Nobody waits for who reads it. */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX_BYTES 1000
/* "<4>", "2026-11-29 16:20:01 " and "warning: ". */
#define PREFIX_MAX_BYTES 64

/* How a line begins: with what its reader does not add. */
enum style { STYLE_PLAIN, STYLE_TIME, STYLE_JOURNAL };

static const struct {
	const char *text;
	int priority; /* of syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error: ", 3},
	[LOG_LEVEL_WARNING] = {"warning: ", 4},
	[LOG_LEVEL_INFO] = {"", 6},
	[LOG_LEVEL_DEBUG] = {"debug: ", 7},
};

static atomic_int threshold = LOG_LEVEL_INFO;
static _Atomic enum style style = STYLE_PLAIN;
static _Atomic uint64_t dropped;
/* Between poll() and write() nobody else may use up the room. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
static uint64_t told; /* of those dropped; behind the mutex */

static _Thread_local struct {
	char *out;
	size_t size;
} collected;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&threshold, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
	return atomic_load_explicit(&dropped, memory_order_relaxed);
}

/* systemd says in JOURNAL_STREAM which file the journal reads: "DEVICE:INODE" (systemd.exec(5)). */
static bool journal_reads(const struct stat *file)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[48];

	snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)file->st_dev,
		 (unsigned long long)file->st_ino);
	return stream && strcmp(stream, ours) == 0;
}

void log_begin_service(void)
{
	struct stat file;

	if (fstat(STDERR_FILENO, &file))
		return;
	if (journal_reads(&file))
		style = STYLE_JOURNAL;
	else if (S_ISREG(file.st_mode) || isatty(STDERR_FILENO))
		style = STYLE_TIME;
}

static size_t put_prefix(char *line, enum log_level level)
{
	const time_t now = time(NULL);
	struct tm local;
	size_t len = 0;

	if (style == STYLE_JOURNAL)
		len = (size_t)snprintf(line, PREFIX_MAX_BYTES, "<%d>", levels[level].priority);
	else if (style == STYLE_TIME && localtime_r(&now, &local))
		len = strftime(line, PREFIX_MAX_BYTES, "%Y-%m-%d %H:%M:%S ", &local);
	return len + (size_t)snprintf(line + len, PREFIX_MAX_BYTES - len, "%s", levels[level].text);
}

/* Of a pipe, a terminal or a socket poll() says that there is room for a line, or for none. */
static bool write_now(const char *line, size_t len)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
	ssize_t n;

	if (poll(&room, 1, 0) <= 0 || !(room.revents & POLLOUT))
		return false;
	do
		n = write(STDERR_FILENO, line, len);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

/* Behind the mutex. */
static bool tell_dropped(void)
{
	const uint64_t count = log_dropped();
	char line[PREFIX_MAX_BYTES + MESSAGE_MAX_BYTES];
	size_t len;

	if (count == told)
		return true;
	len = put_prefix(line, LOG_LEVEL_WARNING);
	len += (size_t)snprintf(line + len, sizeof(line) - len,
				"%llu lines of this log were dropped: nobody read them\n",
				(unsigned long long)(count - told));
	if (!write_now(line, len))
		return false;
	told = count;
	return true;
}

void log_collect(char *out, size_t size)
{
	collected.out = out;
	collected.size = size;
	if (out)
		*out = '\0';
}

/* Whoever asked is told whatever the log leaves out. */
static bool collects(enum log_level level)
{
	return collected.out && level <= LOG_LEVEL_WARNING;
}

static void collect(enum log_level level, const char *text, size_t len)
{
	const size_t used = strlen(collected.out);

	snprintf(collected.out + used, collected.size - used, "%s%s%.*s", used ? "; " : "",
		 level == LOG_LEVEL_WARNING ? levels[level].text : "", (int)len, text);
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[PREFIX_MAX_BYTES + MESSAGE_MAX_BYTES + 1];
	const bool wanted = level <= log_get_level();
	int saved = errno;
	va_list args;
	size_t start;
	size_t end;
	int len;

	if (!wanted && !collects(level))
		return;
	start = put_prefix(line, level);
	va_start(args, format);
	len = vsnprintf(line + start, MESSAGE_MAX_BYTES + 1, format, args);
	va_end(args);
	if (len < 0)
		goto out;
	end = start + (size_t)(len < MESSAGE_MAX_BYTES ? len : MESSAGE_MAX_BYTES);
	/* Names from the network may hold newlines or what a terminal obeys. */
	for (size_t i = start; i < end; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == '\x7f')
			line[i] = '?';
	if (collects(level))
		collect(level, line + start, end - start);
	if (!wanted)
		goto out;
	line[end++] = '\n';
	pthread_mutex_lock(&writing);
	if (!tell_dropped() || !write_now(line, end))
		atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
	pthread_mutex_unlock(&writing);
out:
	errno = saved;
}
