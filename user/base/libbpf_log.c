/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libbpf has to say, as lines of the log at level debug. */
#include "base/libbpf_log.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[1000];

	(void)level;
	if (log_get_level() < LOG_LEVEL_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("bpf: %s", line);
	return 0;
}

void libbpf_log_start(void)
{
	libbpf_set_print(print);
}
