/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for sockets to die, for their streams to end, or for more bytes, by a second epoll
 * instance.
 */
#include "relay/hangup.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

static void hup_on_event(struct ev_loop *loop, ev_io *io, int events)
{
	struct hup *hup = io->data;
	struct epoll_event event;
	struct hup_watch *watch;
	bool dead;

	(void)loop;
	(void)events;
	/* One at a time: handling one may free the owner of another. The rest is reported again. */
	if (epoll_wait(hup->epoll_fd, &event, 1, 0) != 1)
		return;
	watch = event.data.ptr;
	dead = event.events & EPOLLERR;
	if (watch->events == HUP_MORE) {
		watch->notify(watch->owner, dead);
		return;
	}
	hup_remove(hup, watch);
	/* Without an error, EPOLLHUP says no more than that both directions have ended. */
	if (dead || event.events & EPOLLRDHUP)
		watch->notify(watch->owner, dead);
}

int hup_init(struct hup *hup, struct ev_loop *loop)
{
	*hup = (struct hup){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .loop = loop};
	if (hup->epoll_fd < 0)
		return -errno;
	ev_io_init(&hup->io, hup_on_event, hup->epoll_fd, EV_READ);
	hup->io.data = hup;
	ev_io_start(loop, &hup->io);
	return 0;
}

void hup_fini(struct hup *hup)
{
	if (hup->epoll_fd < 0)
		return;
	ev_io_stop(hup->loop, &hup->io);
	close(hup->epoll_fd);
	hup->epoll_fd = -1;
}

void hup_add(struct hup *hup, struct hup_watch *watch, int fd, enum hup_events events,
	     hup_fn *notify, void *owner)
{
	/* EPOLLERR is always reported, asked for or not. */
	static const uint32_t masks[] = {
		[HUP_DEATH_OR_END] = EPOLLRDHUP,
		[HUP_MORE] = EPOLLIN | EPOLLET,
	};
	struct epoll_event event = {.events = masks[events], .data.ptr = watch};

	if (watch->active && watch->events == events)
		return;
	hup_remove(hup, watch);
	*watch = (struct hup_watch){.notify = notify, .owner = owner, .fd = fd, .events = events};
	watch->active = !epoll_ctl(hup->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void hup_remove(struct hup *hup, struct hup_watch *watch)
{
	if (!watch->active)
		return;
	epoll_ctl(hup->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->active = false;
}
