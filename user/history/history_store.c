/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history/history_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/aside.h"
#include "base/clock.h"
#include "base/log.h"
#include "history/history_file.h"

/* Another hawserd that writes takes so long at most, or hangs. */
#define WAIT_S	 2.
#define AGAIN_US 5000

struct history_store {
	char *directory;
	struct history *fresh; /* what neither the file has nor is being written */
	bool changed;	       /* there is something in it */
	struct history *shown; /* the last answer */
	double written_s;
	int fault;
	struct aside aside;
	struct history *writing; /* the thread's, to be read only; NULL: none */
	struct history *before;	 /* the file without it */
	int err;
	bool again; /* write what has come meanwhile, too */
};

static void note_fault(struct history_store *store, int fault)
{
	if (fault && fault != store->fault)
		log_warning("history: %s: %s; what was used is known until hawserd stops",
			    store->directory, strerror(fault));
	store->fault = fault;
}

/* In the thread. */
static void work(void *owner)
{
	struct history_store *store = owner;
	const double give_up_s = clock_monotonic_s() + WAIT_S;

	for (;;) {
		store->err = history_file_add(store->directory, store->writing);
		if (store->err != -EWOULDBLOCK || clock_monotonic_s() >= give_up_s)
			return;
		usleep(AGAIN_US);
	}
}

/* What was not written is older than what has come since. */
static void take_back(struct history_store *store)
{
	if (history_merge(store->writing, store->fresh))
		log_error("history: %s", strerror(ENOMEM));
	history_free(store->fresh);
	store->fresh = store->writing;
	store->writing = NULL;
	store->changed = true;
}

static void done(void *owner)
{
	struct history_store *store = owner;
	const bool again = store->again;

	if (store->err)
		take_back(store);
	history_free(store->writing);
	history_free(store->before);
	store->writing = NULL;
	store->before = NULL;
	store->again = false;
	note_fault(store, -store->err);
	if (store->err != -EWOULDBLOCK)
		store->written_s = clock_monotonic_s();
	if (again)
		history_store_write(store);
}

struct history_store *history_store_open(struct ev_loop *loop, const char *directory)
{
	struct history_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->directory = strdup(directory);
	store->fresh = history_new();
	if (!store->directory || !store->fresh) {
		history_free(store->fresh);
		free(store->directory);
		free(store);
		return NULL;
	}
	aside_init(&store->aside, loop, work, done, store);
	note_fault(store, -history_file_check(directory));
	store->written_s = clock_monotonic_s();
	return store;
}

void history_store_close(struct history_store *store)
{
	if (!store)
		return;
	history_store_flush(store);
	history_free(store->fresh);
	history_free(store->shown);
	free(store->directory);
	free(store);
}

void history_store_add(struct history_store *store, enum history_kind kind, const char *name,
		       const char *address, struct history_time when, struct history_bytes bytes)
{
	if (bytes.up == 0 && bytes.down == 0)
		return;
	if (history_add(store->fresh, kind, name, address, when, bytes))
		log_error("history: %s", strerror(ENOMEM));
	store->changed = true;
}

void history_store_write(struct history_store *store)
{
	struct history *fresh;

	store->again = store->aside.runs;
	if (store->again || !store->changed)
		return;
	fresh = history_new();
	store->before = history_new();
	if (!fresh || !store->before) {
		history_free(fresh);
		history_free(store->before);
		store->before = NULL;
		note_fault(store, ENOMEM);
		return;
	}
	/* Who asks meanwhile cannot know whether the file has it already. */
	(void)history_file_read(store->directory, store->before);
	store->writing = store->fresh;
	store->fresh = fresh;
	store->changed = false;
	aside_start(&store->aside);
}

void history_store_flush(struct history_store *store)
{
	history_store_write(store);
	aside_wait(&store->aside);
}

const struct history *history_store_read(struct history_store *store)
{
	int err = 0;

	history_free(store->shown);
	store->shown = history_new();
	if (!store->shown)
		return NULL;
	if (store->writing) {
		err = history_merge(store->shown, store->before);
		if (!err)
			err = history_merge(store->shown, store->writing);
	} else if ((err = history_file_read(store->directory, store->shown))) {
		note_fault(store, -err);
		err = 0;
	}
	if (err || history_merge(store->shown, store->fresh))
		log_error("history: %s", strerror(ENOMEM));
	return store->shown;
}

double history_store_written_s(const struct history_store *store)
{
	return store->written_s;
}

int history_store_fault(const struct history_store *store)
{
	return store->fault;
}
