/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All figures of the daemon for a scraper. hawserd(8) lists them. */
#ifndef HAWSER_DAEMON_METRICS_H
#define HAWSER_DAEMON_METRICS_H

struct config;
struct exposition;
struct links;
struct report_source;

/* More tokens than these are left out: their file may be long. */
#define METRICS_TOKENS_MAX 256

/* Main thread only. */
void metrics_write(const struct report_source *source, struct exposition *out);

/* Of metrics_links.c, metrics_exits.c and metrics_process.c: their part. links may be NULL;
 * started_s is of CLOCK_MONOTONIC. */
void metrics_write_links(const struct links *links, struct exposition *out);
void metrics_write_exits(const struct config *config, struct exposition *out);
void metrics_write_process(double started_s, struct exposition *out);

#endif
