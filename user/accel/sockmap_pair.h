/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two directions of a session while the kernel moves their bytes. They enter and leave
 * together: on each socket one direction's passed bytes and the other's redirected ones share a
 * lock and a queue, and what user space still has to look at in one wakes it for both. */
#ifndef HAWSER_ACCEL_SOCKMAP_PAIR_H
#define HAWSER_ACCEL_SOCKMAP_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "accel/sockmap.h"
#include "accel/sockmap_flow.h"
#include "base/direction.h"
#include "base/poller.h"
#include "config/tune.h"

struct sockmap_pair;

enum sockmap_pair_state {
	SOCKMAP_PAIR_OUT, /* user space moves the bytes, reading by sockmap_flow_recv() */
	SOCKMAP_PAIR_IN,  /* the kernel does; user space must neither read, write nor shut down */
	SOCKMAP_PAIR_LEAVING, /* as SOCKMAP_PAIR_IN, until the last of them has reached the sockets
			       */
};

enum sockmap_pair_event {
	SOCKMAP_PAIR_LEFT,   /* SOCKMAP_PAIR_OUT again */
	SOCKMAP_PAIR_BROKEN, /* bytes were lost or doubled: reset the session */
};

/* Called from the loop only. May free the pair. */
typedef void sockmap_pair_fn(void *owner, enum sockmap_pair_event event);

struct sockmap_pair_request {
	struct poller *poller;
	struct sockmap_worker *worker;
	const struct tune *tune; /* outlives the pair */
	int client;		 /* fds; the caller's to close, right after sockmap_pair_free() */
	int server;
	uint64_t session;
	sockmap_pair_fn *notify;
	void *owner;
};

/* SOCKMAP_PAIR_OUT. NULL with errno set: as of sockmap_flow_prepare(), or ENOMEM. */
struct sockmap_pair *sockmap_pair_new(const struct sockmap_pair_request *request);

/* Lets the kernel begin. Everything that was taken from either socket has been given to the other.
 * 0, or -errno as of sockmap_flow_enter(); then the state is SOCKMAP_PAIR_OUT, or
 * SOCKMAP_PAIR_LEAVING if one direction had entered already. */
int sockmap_pair_enter(struct sockmap_pair *pair);

/* Ends it for a reason, which is kept (a literal); SOCKMAP_PAIR_LEFT follows from the loop. */
void sockmap_pair_leave(struct sockmap_pair *pair, const char *reason);

/* Nothing more will reach the target of this direction, so leaving does not wait for it. */
void sockmap_pair_give_up(struct sockmap_pair *pair, enum direction direction);

/* Releases both directions; sockmap_pair_free(NULL) does nothing. */
void sockmap_pair_free(struct sockmap_pair *pair);

/* SOCKMAP_PAIR_OUT for NULL. */
enum sockmap_pair_state sockmap_pair_state(const struct sockmap_pair *pair);

/* Why it left last; NULL if it never did. */
const char *sockmap_pair_reason(const struct sockmap_pair *pair);

struct sockmap_flow *sockmap_pair_direction(struct sockmap_pair *pair, enum direction direction);

/* Bytes that the kernel moved since the last call. */
uint64_t sockmap_pair_take_count(struct sockmap_pair *pair, enum direction direction);

/* Hands the owner of each pair of the worker that has slots to visit, which may end no pair. */
typedef void sockmap_pair_visit_fn(void *owner, void *arg);
void sockmap_pair_each(struct sockmap_worker *worker, sockmap_pair_visit_fn *visit, void *arg);

/* When sockmap_event_fd() is readable. */
void sockmap_pair_read_events(struct sockmap_worker *worker);

#endif
