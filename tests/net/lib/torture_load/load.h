/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the torture's load share. One thread runs all: both ends of a session are in
 * its hands, so each knows what the other has done. */
#ifndef HAWSER_TORTURE_LOAD_H
#define HAWSER_TORTURE_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <time.h>

#include "plan.h"

#define NS_PER_US 1000ULL
#define NS_PER_S  1000000000ULL
#define NEVER	  UINT64_MAX

/* SOCKS5 without a password, to an address; the port comes last. */
#define GREETING_METHODS_BYTES 3
#define GREETING_MAX	       25
#define ANSWER_METHOD_BYTES    2
#define ANSWER_MIN	       12
#define ANSWER_MAX	       24

union place {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* What the command line says. Index 1 is for MPTCP servers. */
struct settings {
	const char *server_net;
	union place server, proxies[2];
	bool mptcp;
	bool sockmap; /* pairs of TCP sockets may be in it */
	bool brief;   /* many short sessions rather than few long ones */
	size_t sessions;
	uint64_t seconds, seed;
	uint64_t only;	     /* the plan of all sessions; NEVER: each has its own */
	uint64_t started_ns; /* then the load began */
};

extern struct settings settings;

static inline size_t greeting_bytes(void)
{
	return settings.server.sa.sa_family == AF_INET6 ? GREETING_MAX : 13;
}

struct session;

/* What epoll_event.data.ptr points to. */
struct watch {
	void (*ready)(void *owner);
	void *owner;
};

/* One end of a session. */
struct end {
	struct watch watch;
	struct session *session;
	enum side side;
	int fd;		 /* -1: not yet, or over */
	bool connecting; /* to hawserd */
	bool over;
	bool begun;		  /* the pause before the step has begun */
	bool blocked;		  /* waits for room to send */
	bool shut;		  /* its stream has ended */
	bool eof;		  /* the other's stream has ended */
	bool reset_seen;	  /* by a read or a write */
	bool stalled;		  /* had its stall */
	uint32_t events;	  /* what epoll was told; 0: nothing */
	size_t greeted, answered; /* bytes of the greeting sent, of the answer read */
	unsigned char answer[ANSWER_MAX];
	size_t step;
	uint64_t step_sent;
	uint64_t sent, received;
	uint64_t acknowledged;		     /* of what it sent when it reset */
	uint64_t send_ns, read_ns, reset_ns; /* not before */
	uint64_t wake_ns;
};

struct session {
	struct plan plan;
	struct dice dice; /* for the sizes of writes */
	struct end ends[SIDE_COUNT];
	bool running;
	bool failed;
	bool reset_made; /* by plan.resetter */
	uint64_t progress_ns;
	unsigned char greeting[GREETING_MAX];
};

/* What happened. Up is from client to server. */
struct totals {
	uint64_t kinds[PLAN_KIND_COUNT]; /* sessions that are over */
	uint64_t pairs[2][2];		 /* by client and server being MPTCP */
	uint64_t received[SIDE_COUNT];	 /* bytes at this side */
	uint64_t exchanges;
	uint64_t resets_made, resets_seen;
	uint64_t failures;
};

extern struct totals totals;
extern int epoll_fd;

noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

void print_totals(void);

/* Says what is wrong and which plan it was; the session ends and no other begins. */
void session_fail(struct session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* end.c. end_begin() takes over fd, connected or connecting. end_run() does all that can be done
 * now and tells epoll and wake_ns what to wait for. */
void end_begin(struct end *end, struct session *session, enum side side, int fd, bool connecting);
void end_run(struct end *end, uint64_t now);
void end_close(struct end *end);

/* Has the kernel notice soon that the other end of a connection is gone, though its reset was lost.
 */
void keep_alive(int fd);

/* slot.c. slots_listen() is called in the server's namespace, slots_serve() in the client's. */
void slots_listen(void);
void slots_serve(void);

/* stray.c: connections that hawserd made for clients that left. */
void stray_listen(int listener); /* takes it over */
size_t stray_count(void);	 /* of those that are not over */

#endif
