/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "access_log/access_log.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "access_log/access_sink.h"
#include "base/log.h"

/* What waits to be written, at most; twice so much while it is being written. */
#define PENDING_MAX_BYTES ((size_t)256 * 1024)
/* Lines of so long are written together, and so long is waited for who takes none now. */
#define FLUSH_S 0.1

struct lines {
	char *text;
	size_t len;
	size_t size;
};

struct access_log {
	struct ev_loop *loop;
	ev_async wake;
	ev_timer flush;
	atomic_bool on;
	bool shared; /* with another hawserd */
	char *where; /* NULL: off */
	struct access_sink sink;
	struct lines writing; /* the main thread's */
	size_t written;	      /* bytes of it */
	bool torn;	      /* of the last line in the file the end was dropped */
	uint64_t count;	      /* lines written */
	int fault;	      /* errno of the last write; 0: it went well */
	_Atomic uint64_t dropped;
	pthread_mutex_t lock;
	struct lines pending; /* behind the lock */
};

static void count_lines(struct access_log *log, size_t from, size_t to, bool written)
{
	uint64_t count = 0;

	for (size_t i = from; i < to; i++)
		count += log->writing.text[i] == '\n';
	if (written)
		log->count += count;
	else
		atomic_fetch_add_explicit(&log->dropped, count, memory_order_relaxed);
}

static void note_fault(struct access_log *log, int fault)
{
	if (fault && fault != log->fault)
		log_warning("access log %s: %s; lines are dropped", log->where, strerror(fault));
	else if (!fault && log->fault)
		log_info("access log %s: lines are written again", log->where);
	log->fault = fault;
}

/* What has been put changes places with what has been written. */
static bool take_pending(struct access_log *log)
{
	struct lines lines = log->writing;

	lines.len = 0;
	log->written = 0;
	pthread_mutex_lock(&log->lock);
	log->writing = log->pending;
	log->pending = lines;
	pthread_mutex_unlock(&log->lock);
	return log->writing.len > 0;
}

/* A torn line is ended first, so that the next one is whole. */
static long write_lines(struct access_log *log, const char *lines, size_t len)
{
	const bool ends = log->torn && !log->sink.is_syslog;
	const long n = ends ? access_sink_write(&log->sink, "\n", 1) : 0;

	if (n < 0)
		return n;
	log->torn = false;
	return access_sink_write(&log->sink, lines, len);
}

/* What is not written of what has been taken. */
static void drop_rest(struct access_log *log)
{
	const size_t done = log->written;

	if (!log->sink.is_syslog && done > 0 && done < log->writing.len)
		log->torn = log->writing.text[done - 1] != '\n';
	count_lines(log, done, log->writing.len, false);
	log->written = log->writing.len;
}

/* False: who takes the lines takes no more now. */
static bool write_some(struct access_log *log)
{
	const size_t left = log->writing.len - log->written;
	long n;

	if (log->sink.fd < 0)
		access_sink_open(&log->sink, log->where);
	n = log->sink.fd < 0 ? log->sink.fd
			     : write_lines(log, log->writing.text + log->written, left);
	if (n == -EINTR)
		return true;
	if (n == -EAGAIN)
		return false;
	note_fault(log, n < 0 ? (int)-n : 0);
	if (n < 0) {
		drop_rest(log);
	} else {
		count_lines(log, log->written, log->written + (size_t)n, true);
		log->written += (size_t)n;
	}
	/* A syslog daemon that was started again has another socket at the path. */
	if (log->shared || (n < 0 && log->sink.is_syslog))
		access_sink_close(&log->sink);
	return true;
}

/* False: the rest waits for the timer. */
static bool write_all(struct access_log *log)
{
	while (log->written < log->writing.len) {
		if (!write_some(log)) {
			ev_timer_again(log->loop, &log->flush);
			return false;
		}
	}
	return true;
}

/* What is put meanwhile wakes us again, so that a slow disk has no more than this at once. */
static void flush(struct access_log *log)
{
	if (write_all(log) && take_pending(log))
		(void)write_all(log);
}

static void on_flush(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct access_log *log = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	if (log->where)
		flush(log);
	else if (take_pending(log)) /* which a worker put while it was turned off */
		drop_rest(log);
}

static void on_wake(struct ev_loop *loop, ev_async *async, int events)
{
	struct access_log *log = async->data;

	(void)events;
	if (!ev_is_active(&log->flush))
		ev_timer_again(loop, &log->flush);
}

struct access_log *access_log_open(struct ev_loop *loop)
{
	struct access_log *log = calloc(1, sizeof(*log));
	ev_async *wake;
	ev_timer *timer;

	if (!log)
		return NULL;
	log->loop = loop;
	log->sink.fd = -1;
	pthread_mutex_init(&log->lock, NULL);
	wake = &log->wake;
	ev_async_init(wake, on_wake);
	wake->data = log;
	ev_async_start(loop, wake);
	timer = &log->flush;
	ev_timer_init(timer, on_flush, 0., FLUSH_S);
	timer->data = log;
	return log;
}

void access_log_close(struct access_log *log)
{
	if (!log)
		return;
	access_log_follow(log, NULL);
	ev_timer_stop(log->loop, &log->flush);
	ev_async_stop(log->loop, &log->wake);
	pthread_mutex_destroy(&log->lock);
	free(log->writing.text);
	free(log->pending.text);
	free(log);
}

/* What waits goes where it was meant to; what is not taken is gone. */
static void drain(struct access_log *log)
{
	if (!log->where)
		return;
	flush(log);
	drop_rest(log);
}

static int open_at(struct access_log *log, const char *where, char *copy)
{
	struct access_sink sink = {.fd = -1};
	int err = where ? access_sink_open(&sink, where) : 0;

	if (err) {
		log_error("access log %s: %s; expected a file that can be written, syslog, or "
			  "syslog:PATH of its socket",
			  where, strerror(-err));
		return err;
	}
	drain(log);
	log->torn = log->torn && where && strcmp(where, log->where) == 0;
	access_sink_close(&log->sink);
	free(log->where);
	log->sink = sink;
	log->where = copy;
	log->fault = 0;
	atomic_store_explicit(&log->on, where != NULL, memory_order_relaxed);
	/* What was put while the old one took nothing has sent its wake-up already. */
	ev_timer_again(log->loop, &log->flush);
	return 0;
}

int access_log_follow(struct access_log *log, const char *where)
{
	char *copy = where ? strdup(where) : NULL;
	int err = where && !copy ? -ENOMEM : open_at(log, where, copy);

	if (err)
		free(copy);
	return err;
}

void access_log_reopen(struct access_log *log)
{
	if (log->where)
		(void)access_log_follow(log, log->where);
}

void access_log_share(struct access_log *log)
{
	log->shared = true;
	access_sink_close(&log->sink);
}

struct access_log_state access_log_state(struct access_log *log)
{
	return (struct access_log_state){
		.where = log->where ? log->where : "",
		.lines = log->count,
		.dropped = atomic_load_explicit(&log->dropped, memory_order_relaxed),
		.fault = log->fault ? strerror(log->fault) : "",
	};
}

bool access_log_is_on(const struct access_log *log)
{
	return log && atomic_load_explicit(&log->on, memory_order_relaxed);
}

static bool make_room(struct lines *lines, size_t len)
{
	const size_t needed = lines->len + len;
	size_t size = lines->size ? lines->size : 4096;
	char *text;

	if (needed > PENDING_MAX_BYTES)
		return false;
	while (size < needed)
		size *= 2;
	if (size == lines->size)
		return true;
	text = realloc(lines->text, size);
	if (!text)
		return false;
	lines->text = text;
	lines->size = size;
	return true;
}

void access_log_put(struct access_log *log, const char *line, size_t len)
{
	bool first;
	bool taken;

	pthread_mutex_lock(&log->lock);
	first = log->pending.len == 0;
	taken = make_room(&log->pending, len);
	if (taken) {
		memcpy(log->pending.text + log->pending.len, line, len);
		log->pending.len += len;
	}
	pthread_mutex_unlock(&log->lock);
	if (!taken)
		atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
	else if (first)
		ev_async_send(log->loop, &log->wake);
}
