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
#include "base/poller.h"
#include "config/tune.h"

struct park;

enum park_state {
	PARK_OUT,     /* user space moves the bytes, reading by parked_recv() */
	PARK_IN,      /* the kernel does; user space must neither read, write nor shut down */
	PARK_LEAVING, /* as PARK_IN, until the last of them has reached the sockets */
};

enum park_event {
	PARK_LEFT,   /* PARK_OUT again */
	PARK_BROKEN, /* bytes were lost or doubled: reset the session */
};

/* Called from the loop only. May free the park. */
typedef void park_fn(void *owner, enum park_event event);

struct park_request {
	struct poller *poller;
	struct accel_worker *worker;
	const struct tune *tune; /* outlives the park */
	int client;		 /* fds; the caller's to close, right after park_free() */
	int server;
	uint64_t session;
	park_fn *notify;
	void *owner;
};

/* PARK_OUT. NULL with errno set: as of parked_prepare(), or ENOMEM. */
struct park *park_new(const struct park_request *request);

/* Lets the kernel begin. Everything that was taken from either socket has been given to the other.
 * 0, or -errno as of parked_enter(); then the state is PARK_OUT, or PARK_LEAVING if one direction
 * had entered already. */
int park_enter(struct park *park);

/* Ends it for a reason, which is kept (a literal); PARK_LEFT follows from the loop. */
void park_leave(struct park *park, const char *reason);

/* Nothing more will reach the target of this direction, so leaving does not wait for it. */
void park_give_up(struct park *park, bool up);

/* Releases both directions; park_free(NULL) does nothing. */
void park_free(struct park *park);

/* PARK_OUT for NULL. */
enum park_state park_state(const struct park *park);

/* Why it left last; NULL if it never did. */
const char *park_reason(const struct park *park);

struct parked *park_direction(struct park *park, bool up);

/* Bytes that the kernel moved since the last call. */
uint64_t park_take_count(struct park *park, bool up);

/* When accel_event_fd() is readable. */
void park_read_events(struct accel_worker *worker);

#endif
