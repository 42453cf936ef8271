/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client's life as a state machine, from accept to close. Moves no payload itself. */
#ifndef HAWSER_SESSION_SESSION_H
#define HAWSER_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cause.h"
#include "base/heap.h"
#include "config/config.h"
#include "links/link_choice.h"
#include "net/mptcp_blackhole.h"
#include "relay/relay.h"
#include "session/doorway.h"
#include "session/room_watch.h"
#include "session/stats.h"
#include "session/subflow_watch.h"
#include "session/tally.h"
#include "upstream/auto_bypass.h"

struct access_log;
struct affinity;
struct auth_penalty;
struct local_worker;
struct meeting;
struct portal_guests;
struct recent_dials;
struct resolver;
struct run_redirect;
struct session;

/* What a worker provides to its sessions. */
struct session_env {
	struct relay_env relay;
	struct heap heap;
	struct resolver *resolver;
	struct tcp_only *tcp_only;
	struct mptcp_blackhole mptcp_blackhole;
	struct auto_bypass auto_bypass; /* that the main thread has not taken yet */
	struct link_picker links;
	struct subflow_watch subflow_watch;
	struct room_watch room_watch;
	struct local_worker *local;	   /* NULL: off */
	struct access_log *access_log;	   /* of all workers */
	struct auth_penalty *penalty;	   /* the same */
	struct recent_dials *recent_dials; /* the same */
	struct affinity *affinity;	   /* the same */
	struct portal_guests *guests;	   /* the same */
	struct run_redirect *run;	   /* the same */
	struct meeting *dialled;	   /* the same: connections that wait for their session */
	const struct config *config;	   /* for sessions that start from now on */
	bool draining;			   /* none starts any more */
	struct session *sessions;	   /* all of them */
	struct session *spare;		   /* memory for those to come */
	struct stats stats;
	struct doorway doorway;
	struct tally tally;
	double crowd_logged_s;	 /* 0: not yet */
	uint64_t crowded_out;	 /* since then */
	ev_tstamp last_pause;	 /* of accepting; 0: none yet */
	double last_complaint_s; /* in the log, of somebody's rules; 0: none yet */
	uint64_t next_id;
	uint64_t id_step;
};

/* What sockets of plain TCP have of these from the listening one, which has all. */
struct handed_on {
	unsigned int trials;
	unsigned int missing; /* as of the last one */
};

/* Takes over an accepted, non-blocking fd, for which the descriptors of a session are taken,
 * whatever happens. listen need not outlive the call; handed_on is of its socket. */
void session_start(struct session_env *env, int fd, const union address *client,
		   const struct listen_config *listen, struct handed_on *handed_on);

/* Ends every session; relayed streams are reset, so that no peer takes them for whole. */
void session_end_all(struct session_env *env, enum cause cause);

/* Ends the one of this number in the same way; false if there is none. */
bool session_kill(struct session_env *env, uint64_t id);

/* No session starts any more: none waits for a further request of its client. */
void session_drain_all(struct session_env *env);

/* Ends those whose token was revoked. */
void session_end_revoked(struct session_env *env);

/* Has them come back from the kernel that forwards their packets. */
void session_recall_all(const struct session_env *env);

/* Ends those whose client was taken by TPROXY or by a program of ours, and so has a connection to
 * an address that is not this host's. */
void session_end_taken(struct session_env *env);

/* Counts what the kernel moved by itself into env->stats. */
void session_refresh_all(const struct session_env *env);

/* Moves what sessions have carried since the last time into *out. */
void session_tally_all(struct session_env *env, struct tally *out);

/* For --torture: changes tiers and ticks of the sessions that are configured so. */
void session_shake_all(const struct session_env *env);

/* As many rows as there are sessions, at most max, of those that moved bytes last; more than a few
 * questions to the kernel for each of these would hold up the worker. Returns their number. */
size_t session_describe_all(const struct session_env *env, struct session_row *rows, size_t max);

/* False if there is no session of this number. */
bool session_describe_one(const struct session_env *env, uint64_t id, struct session_detail *out);

#endif
