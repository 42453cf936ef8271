/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for sockets to die, for their streams to end, or for more bytes, by a second epoll
 * instance.
 */
#include "relay/hangup.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Most watches for a death are over by then: while a dial goes on, or one stream has ended and the
 * other is about to. So the kernel is told only of those that last. */
#define YOUNG_S 0.01

static void hangup_on_event(struct ev_loop *loop, ev_io *io, int events)
{
	struct hangup *hangup = io->data;
	struct epoll_event event;
	struct hangup_watch *watch;
	bool dead;

	(void)loop;
	(void)events;
	/* One at a time: handling one may free the owner of another. The rest is reported again. */
	if (epoll_wait(hangup->epoll_fd, &event, 1, 0) != 1)
		return;
	watch = event.data.ptr;
	dead = event.events & EPOLLERR;
	if (watch->events == HANGUP_MORE) {
		watch->notify(watch->owner, dead);
		return;
	}
	hangup_remove(hangup, watch);
	/* Without an error, EPOLLHUP says no more than that both directions have ended. */
	if (dead || event.events & EPOLLRDHUP)
		watch->notify(watch->owner, dead);
}

static void hangup_enrol(const struct hangup *hangup, struct hangup_watch *watch)
{
	/* EPOLLERR is always reported, asked for or not. */
	static const uint32_t masks[] = {
		[HANGUP_DEATH_OR_END] = EPOLLRDHUP,
		[HANGUP_MORE] = EPOLLIN | EPOLLET,
	};
	struct epoll_event event = {.events = masks[watch->events], .data.ptr = watch};

	watch->active = !epoll_ctl(hangup->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event);
}

static void hangup_on_ripe(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct hangup *hangup = timer->data;
	struct hangup_watch *watch = hangup->young;

	(void)loop;
	(void)events;
	hangup->young = NULL;
	for (; watch; watch = watch->next) {
		watch->link = NULL;
		hangup_enrol(hangup, watch);
	}
}

static void hangup_add_young(struct hangup *hangup, struct hangup_watch *watch)
{
	if (!hangup->young) {
		ev_timer_set(&hangup->ripe, YOUNG_S, 0.);
		ev_timer_start(hangup->loop, &hangup->ripe);
	}
	watch->next = hangup->young;
	watch->link = &hangup->young;
	if (watch->next)
		watch->next->link = &watch->next;
	hangup->young = watch;
}

int hangup_init(struct hangup *hangup, struct ev_loop *loop)
{
	*hangup = (struct hangup){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .loop = loop};
	if (hangup->epoll_fd < 0)
		return -errno;
	ev_io_init(&hangup->io, hangup_on_event, hangup->epoll_fd, EV_READ);
	hangup->io.data = hangup;
	ev_io_start(loop, &hangup->io);
	ev_init(&hangup->ripe, hangup_on_ripe);
	hangup->ripe.data = hangup;
	return 0;
}

void hangup_fini(struct hangup *hangup)
{
	if (hangup->epoll_fd < 0)
		return;
	ev_io_stop(hangup->loop, &hangup->io);
	ev_timer_stop(hangup->loop, &hangup->ripe);
	close(hangup->epoll_fd);
	hangup->epoll_fd = -1;
}

void hangup_add(struct hangup *hangup, struct hangup_watch *watch, int fd,
		enum hangup_events events, hangup_fn *notify, void *owner)
{
	if (watch->active && watch->events == events)
		return;
	hangup_remove(hangup, watch);
	*watch = (struct hangup_watch){
		.notify = notify, .owner = owner, .fd = fd, .events = events, .active = true};
	if (events == HANGUP_DEATH)
		hangup_add_young(hangup, watch);
	else
		hangup_enrol(hangup, watch);
}

void hangup_remove(struct hangup *hangup, struct hangup_watch *watch)
{
	if (!watch->active)
		return;
	watch->active = false;
	if (!watch->link) {
		epoll_ctl(hangup->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
		return;
	}
	*watch->link = watch->next;
	if (watch->next)
		watch->next->link = watch->link;
	watch->link = NULL;
	if (!hangup->young)
		ev_timer_stop(hangup->loop, &hangup->ripe);
}
