/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for what libev cannot express: for sockets to die (EPOLLERR), or for their streams to end
 * (EPOLLRDHUP), while nobody wants to know of their bytes, and for more bytes beside those that are
 * left unread. By a second epoll instance, whose fd the loop watches. */
#ifndef HAWSER_RELAY_HANGUP_H
#define HAWSER_RELAY_HANGUP_H

#include <ev.h>
#include <stdbool.h>

struct hangup_watch;

struct hangup {
	int epoll_fd;
	struct ev_loop *loop;
	ev_io io;
	struct hangup_watch *young; /* those that the kernel has not been told of yet */
	ev_timer ripe;
};

enum hangup_events {
	HANGUP_DEATH, /* within some milliseconds */
	HANGUP_DEATH_OR_END,
	HANGUP_MORE, /* each time that bytes have come, or anything else; the watch stays */
};

/* Whether the socket is dead. The watch has been removed already, but for HANGUP_MORE. */
typedef void hangup_fn(void *owner, bool dead);

/* Embedded in whoever owns the socket. */
struct hangup_watch {
	hangup_fn *notify;
	void *owner;
	struct hangup_watch *next;  /* of the young ones */
	struct hangup_watch **link; /* what points here; NULL: not young */
	int fd;
	enum hangup_events events;
	bool active;
};

/* 0 or -errno. */
int hangup_init(struct hangup *hangup, struct ev_loop *loop);
void hangup_fini(struct hangup *hangup);

/* Both are idempotent. hangup_add keeps watch: it must not move while active; added with other
 * events, these hold. A socket that cannot be added (ENOMEM, ENOSPC) is left to its owner's
 * deadline. */
void hangup_add(struct hangup *hangup, struct hangup_watch *watch, int fd,
		enum hangup_events events, hangup_fn *notify, void *owner);
void hangup_remove(struct hangup *hangup, struct hangup_watch *watch);

#endif
