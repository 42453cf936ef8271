/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines to standard error, whole even when several threads write. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX_BYTES 1000

static atomic_int threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_write(enum log_level level, const char *format, ...)
{
	static const char *const prefixes[] = {"error: ", "warning: ", "", "debug: "};
	char line[sizeof("warning: ") + MESSAGE_MAX_BYTES + 1];
	const char *prefix = prefixes[level];
	size_t start = strlen(prefix);
	size_t end;
	int saved = errno;
	va_list args;
	int len;

	if (level > log_get_level())
		return;
	memcpy(line, prefix, start);
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
	line[end++] = '\n';
	while (write(STDERR_FILENO, line, end) < 0 && errno == EINTR)
		;
out:
	errno = saved;
}
