/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for sockets to die, for their streams to end, or for more bytes, by a second epoll
 * instance.
 */
#include "relay/hangup.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

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

int hangup_init(struct hangup *hangup, struct ev_loop *loop)
{
	*hangup = (struct hangup){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .loop = loop};
	if (hangup->epoll_fd < 0)
		return -errno;
	ev_io_init(&hangup->io, hangup_on_event, hangup->epoll_fd, EV_READ);
	hangup->io.data = hangup;
	ev_io_start(loop, &hangup->io);
	return 0;
}

void hangup_fini(struct hangup *hangup)
{
	if (hangup->epoll_fd < 0)
		return;
	ev_io_stop(hangup->loop, &hangup->io);
	close(hangup->epoll_fd);
	hangup->epoll_fd = -1;
}

void hangup_add(struct hangup *hangup, struct hangup_watch *watch, int fd,
		enum hangup_events events, hangup_fn *notify, void *owner)
{
	/* EPOLLERR is always reported, asked for or not. */
	static const uint32_t masks[] = {
		[HANGUP_DEATH_OR_END] = EPOLLRDHUP,
		[HANGUP_MORE] = EPOLLIN | EPOLLET,
	};
	struct epoll_event event = {.events = masks[events], .data.ptr = watch};

	if (watch->active && watch->events == events)
		return;
	hangup_remove(hangup, watch);
	*watch =
		(struct hangup_watch){.notify = notify, .owner = owner, .fd = fd, .events = events};
	watch->active = !epoll_ctl(hangup->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void hangup_remove(struct hangup *hangup, struct hangup_watch *watch)
{
	if (!watch->active)
		return;
	epoll_ctl(hangup->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->active = false;
}
