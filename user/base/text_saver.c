/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/text_saver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/aside.h"
#include "base/text_file.h"

/* What could not be written is tried again. */
#define AGAIN_S 60.

struct text {
	char *directory;
	char *text; /* NULL: none */
};

struct text_saver {
	struct aside aside;
	const char *name;
	struct text now;  /* the thread's, while it runs */
	struct text next; /* waits for it, or for the timer */
	struct ev_loop *loop;
	ev_timer again;
	int err;
	void (*told)(void *owner, const char *directory, int err);
	void *owner;
};

static void clear(struct text *text)
{
	free(text->directory);
	free(text->text);
	*text = (struct text){0};
}

static void work(void *owner)
{
	struct text_saver *saver = owner;

	saver->err = text_file_replace(saver->now.directory, saver->name, 0644, saver->now.text);
}

static void start_next(struct text_saver *saver)
{
	ev_timer_stop(saver->loop, &saver->again);
	saver->now = saver->next;
	saver->next = (struct text){0};
	if (saver->now.text)
		aside_start(&saver->aside);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	start_next(timer->data);
}

static void done(void *owner)
{
	struct text_saver *saver = owner;

	saver->told(saver->owner, saver->now.directory, saver->err);
	if (saver->err && !saver->next.text) {
		saver->next = saver->now;
		saver->now = (struct text){0};
		ev_timer_set(&saver->again, AGAIN_S, 0.);
		ev_timer_start(saver->loop, &saver->again);
		return;
	}
	clear(&saver->now);
	start_next(saver);
}

struct text_saver *text_saver_open(struct ev_loop *loop, const char *name,
				   void (*told)(void *owner, const char *directory, int err),
				   void *owner)
{
	struct text_saver *saver = calloc(1, sizeof(*saver));

	if (!saver)
		return NULL;
	saver->name = name;
	saver->told = told;
	saver->owner = owner;
	saver->loop = loop;
	ev_init(&saver->again, on_again);
	saver->again.data = saver;
	aside_init(&saver->aside, loop, work, done, saver);
	return saver;
}

void text_saver_close(struct text_saver *saver)
{
	if (!saver)
		return;
	text_saver_flush(saver);
	ev_timer_stop(saver->loop, &saver->again);
	clear(&saver->next);
	free(saver);
}

void text_saver_put(struct text_saver *saver, const char *directory, const char *text)
{
	struct text next = {.directory = strdup(directory), .text = strdup(text)};

	if (!next.directory || !next.text) {
		clear(&next);
		saver->told(saver->owner, directory, -ENOMEM);
		return;
	}
	/* What is meant for another directory shall get there. */
	if (saver->next.text && strcmp(saver->next.directory, directory) != 0)
		text_saver_flush(saver);
	clear(&saver->next);
	saver->next = next;
	if (!saver->aside.runs)
		start_next(saver);
}

void text_saver_flush(struct text_saver *saver)
{
	aside_wait(&saver->aside);
	/* What has failed. */
	start_next(saver);
	aside_wait(&saver->aside);
}
