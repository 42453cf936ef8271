/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/aside.h"

#include <signal.h>
#include <stddef.h>

static void *run(void *argument)
{
	struct aside *aside = argument;

	aside->work(aside->over.data);
	ev_async_send(aside->loop, &aside->over);
	return NULL;
}

static void end(struct aside *aside)
{
	pthread_join(aside->thread, NULL);
	ev_async_stop(aside->loop, &aside->over);
	aside->runs = false;
	aside->done(aside->over.data);
}

static void on_over(struct ev_loop *loop, ev_async *async, int events)
{
	(void)loop;
	(void)events;
	end((struct aside *)((char *)async - offsetof(struct aside, over)));
}

void aside_init(struct aside *aside, struct ev_loop *loop, void (*work)(void *owner),
		void (*done)(void *owner), void *owner)
{
	ev_async *over = &aside->over;

	*aside = (struct aside){.loop = loop, .work = work, .done = done};
	ev_async_init(over, on_over);
	over->data = owner;
}

void aside_start(struct aside *aside)
{
	sigset_t all, before;
	int err;

	ev_async_start(aside->loop, &aside->over);
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&aside->thread, NULL, run, aside);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	aside->runs = !err;
	if (!err)
		return;
	ev_async_stop(aside->loop, &aside->over);
	aside->work(aside->over.data);
	aside->done(aside->over.data);
}

void aside_wait(struct aside *aside)
{
	while (aside->runs)
		end(aside);
}
