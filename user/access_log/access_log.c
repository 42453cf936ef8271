/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "access_log/access_log.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "access_log/access_sink.h"
#include "base/aside.h"
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

/* Where lines go from now on, when what was put before is written. */
struct change {
	bool due;
	bool last; /* what was put before is taken */
	char *where;
	struct access_sink sink;
};

struct access_log {
	struct ev_loop *loop;
	ev_async wake;
	ev_timer flush;
	atomic_bool on;
	atomic_bool shared; /* with another hawserd */
	atomic_bool again;  /* to be opened */
	char *where;	    /* NULL: off */
	struct change change;
	struct aside aside;
	/* The thread's while it runs. */
	struct access_sink sink;
	struct lines writing;
	size_t written;		/* bytes of it */
	bool torn;		/* of the last line in the file the end was dropped */
	_Atomic uint64_t count; /* lines written */
	atomic_int fault;	/* errno of the last write; 0: it went well */
	_Atomic uint64_t dropped;
	pthread_mutex_t lock;
	struct lines pending; /* behind the lock */
};

static void count_lines(struct access_log *log, size_t from, size_t to, bool written)
{
	uint64_t count = 0;

	for (size_t i = from; i < to; i++)
		count += log->writing.text[i] == '\n';
	atomic_fetch_add_explicit(written ? &log->count : &log->dropped, count,
				  memory_order_relaxed);
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

static bool is_written(const struct access_log *log)
{
	return log->written == log->writing.len;
}

static int open_sink(struct access_sink *sink, const char *where)
{
	int err = access_sink_open(sink, where);

	if (err)
		log_error("access log %s: %s; expected a file that can be written, syslog, or "
			  "syslog:PATH of its socket",
			  where, strerror(-err));
	return err;
}

static void work(void *owner)
{
	struct access_log *log = owner;
	struct access_sink sink;

	while (!is_written(log) && write_some(log))
		;
	if (!atomic_exchange(&log->again, false) || open_sink(&sink, log->where))
		return;
	access_sink_close(&log->sink);
	log->sink = sink;
}

static void follow_change(struct access_log *log)
{
	const struct change *change = &log->change;

	drop_rest(log);
	log->torn = log->torn && change->where && strcmp(change->where, log->where) == 0;
	access_sink_close(&log->sink);
	free(log->where);
	log->sink = change->sink;
	log->where = change->where;
	log->change = (struct change){.sink.fd = -1};
	log->fault = 0;
	/* What was put while the old one took nothing has sent its wake-up already. */
	ev_timer_again(log->loop, &log->flush);
}

static void make_change(struct access_log *log)
{
	if (is_written(log) && log->where && !log->change.last)
		log->change.last = take_pending(log);
	if (is_written(log))
		follow_change(log);
	else
		aside_start(&log->aside);
}

static void done(void *owner)
{
	struct access_log *log = owner;

	if (log->shared)
		access_sink_close(&log->sink);
	if (!log->change.due)
		ev_timer_again(log->loop, &log->flush);
	else if (is_written(log))
		make_change(log);
	else /* nobody takes the rest */
		follow_change(log);
}

/* done() comes back here, so that a slow disk has no more than this at once. */
static void on_flush(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct access_log *log = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	if (log->aside.runs || (is_written(log) && !take_pending(log) && !log->again))
		return;
	if (log->where)
		aside_start(&log->aside);
	else /* which a worker put while it was turned off */
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
	log->sink.fd = log->change.sink.fd = -1;
	aside_init(&log->aside, loop, work, done, log);
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
	(void)access_log_follow(log, NULL);
	aside_wait(&log->aside);
	ev_timer_stop(log->loop, &log->flush);
	ev_async_stop(log->loop, &log->wake);
	pthread_mutex_destroy(&log->lock);
	free(log->writing.text);
	free(log->pending.text);
	free(log);
}

static int change_to(struct access_log *log, const char *where)
{
	struct change change = {.due = true, .sink.fd = -1};
	int err = where ? open_sink(&change.sink, where) : 0;

	if (!err && where && !(change.where = strdup(where)))
		err = -ENOMEM;
	if (err) {
		access_sink_close(&change.sink);
		return err;
	}
	access_sink_close(&log->change.sink);
	free(log->change.where);
	log->change = change;
	atomic_store_explicit(&log->on, where != NULL, memory_order_relaxed);
	if (!log->aside.runs)
		make_change(log);
	return 0;
}

int access_log_follow(struct access_log *log, const char *where)
{
	if (!where || !log->where || log->change.due || strcmp(where, log->where) != 0)
		return change_to(log, where);
	access_log_reopen(log);
	return 0;
}

void access_log_reopen(struct access_log *log)
{
	if (log->change.due && log->change.where)
		(void)change_to(log, log->change.where);
	if (!log->where || log->change.due)
		return;
	log->again = true;
	if (log->aside.runs)
		return;
	if (is_written(log))
		(void)take_pending(log);
	aside_start(&log->aside);
}

void access_log_share(struct access_log *log)
{
	log->shared = true;
	if (!log->aside.runs)
		access_sink_close(&log->sink);
}

struct access_log_state access_log_state(struct access_log *log)
{
	const char *where = log->change.due ? log->change.where : log->where;
	const int fault = log->fault;

	return (struct access_log_state){
		.where = where ? where : "",
		.lines = log->count,
		.dropped = atomic_load_explicit(&log->dropped, memory_order_relaxed),
		.fault = fault ? strerror(fault) : "",
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
