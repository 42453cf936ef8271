/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the lines of the access log go: a file, or syslog. Workers hand them over and never wait;
 * a thread of its own writes. What is not taken is dropped, and counted. */
#ifndef HAWSER_ACCESS_LOG_ACCESS_LOG_H
#define HAWSER_ACCESS_LOG_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct access_log;
struct ev_loop;

struct access_log_state {
	const char *where; /* "" while it is off; valid until the next access_log_follow() */
	uint64_t lines;	   /* written, since start */
	uint64_t dropped;
	const char *fault; /* why the last write failed; "": it did not */
};

/* Off at first. loop is the main thread's. NULL when out of memory. */
struct access_log *access_log_open(struct ev_loop *loop);

/* Waits until what has come is written, and frees it. Nobody may put lines any more. NULL is
 * allowed. */
void access_log_close(struct access_log *log);

/* Lines go to the file of this path, made if need be; for "syslog" to /dev/log, for "syslog:PATH"
 * to the socket of that path; for NULL nowhere: as soon as what is being written, and what waits
 * then, is where they went. On an error, after logging it, they go on there: -errno. The same path
 * is opened again, by the thread. Main thread. */
int access_log_follow(struct access_log *log, const char *where);

/* Has the same opened again, as after a file was renamed. Main thread. */
void access_log_reopen(struct access_log *log);

/* From now on another hawserd is told to open the same again, so it is opened for each write. */
void access_log_share(struct access_log *log);

struct access_log_state access_log_state(struct access_log *log);

/* Any thread. */
bool access_log_is_on(const struct access_log *log); /* NULL: off */

/* Takes one line with its newline. Any thread. */
void access_log_put(struct access_log *log, const char *line, size_t len);

#endif
