/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One direction whose bytes the kernel moves, from its first entry to its end: enter, grant credit,
 * leave, drain. Does no waiting and does not decide when. */
#ifndef HAWSER_ACCEL_SOCKMAP_FLOW_H
#define HAWSER_ACCEL_SOCKMAP_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "accel/sockmap.h"

/* Both sockets stay in the maps from the first entry until they are closed: leaving and entering
 * again only change the flow's word. For a socket that data is arriving at cannot be taken out of
 * the map of sources without loss: the verdict that runs at that moment drops its segment, and
 * passed bytes that are read afterwards are not counted by TCP, which then delivers nothing more
 * (both seen on 6.18). Meanwhile recv(2) works on the source, splice(2) does not. */
struct sockmap_flow {
	struct sockmap_worker *worker; /* NULL: not prepared */
	struct hawser_flow *shared;    /* NULL: not in the maps */
	int slot;
	int source;
	int target;
	uint64_t session;
	enum hawser_direction direction;
	bool entered;	   /* by us; the program may have set pass since */
	bool drained;	   /* nothing redirected waits for the target */
	bool source_mptcp; /* not fallen back */
	bool target_mptcp; /* the same */
	int source_error;  /* -errno by which it turned out dead; recv() will not say so again */
	uint32_t origin;   /* of the source: see tcp_position_origin() */
	uint32_t budget;   /* bytes */
	uint32_t taken;	   /* passed bytes that were received, modulo 2^32 */
	uint64_t granted;  /* bytes, ever */
	uint64_t base_written;	  /* by the target, and */
	uint64_t base_redirected; /* to it, when it last entered; bytes */
	/* While a queue is pushed into the target's own buffer: its size before, and its locks. */
	int sndbuf;
	int sndbuf_lock;
	unsigned int leave_calls;
};

enum sockmap_flow_mode {
	SOCKMAP_FLOW_OUT,	  /* not in the maps */
	SOCKMAP_FLOW_REDIRECTING, /* the kernel moves the bytes */
	SOCKMAP_FLOW_PASSING,	  /* the source is read by sockmap_flow_recv(); not by splice() */
	SOCKMAP_FLOW_BROKEN,	  /* bytes are missing or doubled: reset the session */
};

/* Makes both directions of a session ready to enter; once, before either does, and while nothing is
 * being sent on the sockets. The structs must not move until sockmap_flow_release(). 0, or -errno,
 * with which neither can enter; -EAGAIN: so much is arriving that the sockets cannot be read off
 * now. */
int sockmap_flow_prepare(struct sockmap_flow *up, struct sockmap_flow *down,
			 struct sockmap_worker *worker, int client, int server, uint64_t session);

/* Lets the kernel move the bytes from now on, also those that are unread at the first entry. The
 * caller has given the target all that it took from the source. Idempotent. 0; -EAGAIN: passed
 * bytes, or at the first entry so many that the kernel may have merged them with some that were
 * read, are unread, so sockmap_flow_recv(), give, try again; or so much is arriving or being
 * acknowledged that the sockets cannot be read off now; -EBUSY: it has left, but has not drained;
 * -EINVAL: not prepared; or -errno as of sockmap_insert(). On error nothing has changed. */
int sockmap_flow_enter(struct sockmap_flow *flow);

enum sockmap_flow_mode sockmap_flow_mode(const struct sockmap_flow *flow);

/* On an event, or any time: grants what the target has really written, so that never more than the
 * budget waits. Returns the bytes that do wait. */
uint32_t sockmap_flow_top_up(struct sockmap_flow *flow);

/* Ends redirecting, if it has not ended yet, and says whether all that was redirected has reached
 * the target's own send buffer; until then nobody may write to the target or shut it down, or that
 * overtakes. Call again, in a millisecond or so, until true: from the second call on, the queue is
 * pushed into the send buffer, made larger for that time, so that a reader who has stopped is not
 * waited for. True for good until the next entry. */
bool sockmap_flow_leave(struct sockmap_flow *flow);

/* recv() from the source, which has to be done through this: bytes, 0 at the end of the stream,
 * -EAGAIN, or another -errno. Good in every mode. */
ssize_t sockmap_flow_recv(struct sockmap_flow *flow, void *bytes, size_t size);

/* Passed bytes that sockmap_flow_recv() has not brought yet. If there are some and it says -EAGAIN,
 * they wait behind what the opposite flow has queued for the same socket, though EPOLLIN is set:
 * let that one leave. */
uint32_t sockmap_flow_unread(const struct sockmap_flow *flow);

/* Bytes, ever. Exact at any time; for byte counters. */
uint64_t sockmap_flow_redirected(const struct sockmap_flow *flow);

/* That the source received while in the maps. */
uint64_t sockmap_flow_segments(const struct sockmap_flow *flow);

/* Frees the slot; to be called right before both fds are closed, which takes them out of the maps.
 * That throws away what waits for the target: so when sockmap_flow_leave() has said true, or when
 * the session is reset anyway. Idempotent, and good for a struct that never entered. */
void sockmap_flow_release(struct sockmap_flow *flow);

#endif
