/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for what libev cannot express: for sockets to die (EPOLLERR), or for their streams to end
 * (EPOLLRDHUP), while nobody wants to know of their bytes, and for more bytes beside those that are
 * left unread. By a second epoll instance, whose fd the loop watches. */
#ifndef HAWSER_RELAY_HANGUP_H
#define HAWSER_RELAY_HANGUP_H

#include <ev.h>
#include <stdbool.h>

struct hup {
	int epoll_fd;
	struct ev_loop *loop;
	ev_io io;
};

enum hup_events {
	HUP_DEATH,
	HUP_DEATH_OR_END,
	HUP_MORE, /* each time that bytes have come, or anything else; the watch stays */
};

/* Whether the socket is dead. The watch has been removed already, but for HUP_MORE. */
typedef void hup_fn(void *owner, bool dead);

/* Embedded in whoever owns the socket. */
struct hup_watch {
	hup_fn *notify;
	void *owner;
	int fd;
	enum hup_events events;
	bool active;
};

/* 0 or -errno. */
int hup_init(struct hup *hup, struct ev_loop *loop);
void hup_fini(struct hup *hup);

/* Both are idempotent. hup_add keeps watch: it must not move while active; added with other events,
 * these hold. A socket that cannot be added (ENOMEM, ENOSPC) is left to its owner's deadline. */
void hup_add(struct hup *hup, struct hup_watch *watch, int fd, enum hup_events events,
	     hup_fn *notify, void *owner);
void hup_remove(struct hup *hup, struct hup_watch *watch);

#endif
