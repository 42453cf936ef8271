/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file, or the socket of a syslog daemon, that takes lines and lets nobody wait. */
#ifndef HAWSER_ACCESS_LOG_ACCESS_SINK_H
#define HAWSER_ACCESS_LOG_ACCESS_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct access_sink {
	int fd; /* -1: none */
	bool is_syslog;
};

/* Whether where is "syslog" or "syslog:PATH". */
bool access_sink_is_syslog(const char *where);

/* 0 or -errno. */
int access_sink_open(struct access_sink *sink, const char *where);
void access_sink_close(struct access_sink *sink);

/* Writes lines[0..len), whole lines, as far as they are taken now: bytes that were, or -errno. */
long access_sink_write(const struct access_sink *sink, const char *lines, size_t len);

#endif
