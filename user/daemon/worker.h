/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One thread with its own loop, resolver, listeners and sessions. Other threads reach it only by
 * the calls below: they run in the worker, between two rounds of its loop, while the caller waits.
 */
#ifndef HAWSER_DAEMON_WORKER_H
#define HAWSER_DAEMON_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accel/packets.h"
#include "accel/sockmap.h"
#include "config/config.h"
#include "session/stats.h"
#include "session/tally.h"
#include "upstream/auto_bypass.h"

struct access_log;
struct affinity;
struct auth_penalty;
struct link_choices;
struct local;
struct meeting;
struct portal_guests;
struct recent_dials;
struct run_redirect;
struct worker;

/* All of these are for the main thread only. */

struct worker_options {
	unsigned int index; /* of count workers */
	unsigned int count;
	uint32_t queries_max;		   /* to name servers, at once */
	uint32_t unheard_max;		   /* clients that have not said where to, at once */
	struct sockmap *sockmap;	   /* outlives the worker */
	struct packets *packets;	   /* the same */
	struct local *local;		   /* the same; NULL: off */
	struct access_log *access_log;	   /* the same */
	struct auth_penalty *penalty;	   /* the same */
	struct recent_dials *recent_dials; /* the same */
	struct affinity *affinity;	   /* the same */
	struct portal_guests *guests;	   /* the same */
	struct run_redirect *run;	   /* the same */
	struct meeting *dialled;	   /* the same */
};

/* Starts a worker that listens to nothing yet. NULL on error, with errno set. */
struct worker *worker_start(const struct worker_options *options);

/* From now on config (a reference is taken) holds for new sessions, and fds[i] is listened to for
 * config->listen[i], where it is not -1; what was listened to before is not any more. fds == NULL:
 * to nothing. */
void worker_configure(struct worker *worker, const struct config *config, const int *fds);

/* As session_drain_all(). After worker_configure() with fds == NULL. */
void worker_drain(struct worker *worker);

/* New connections begin on these links from now on; choices is copied. */
void worker_set_links(struct worker *worker, const struct link_choices *choices);

/* Copies the counters of a worker that has been configured. */
void worker_get_stats(struct worker *worker, struct stats *out);

/* Rows of its sessions, at most max, those that moved bytes last; malloc'ed, to be freed by the
 * caller. NULL and 0 when there are none or no memory. Adds to *all how many there are. */
struct session_row *worker_get_sessions(struct worker *worker, size_t max, size_t *count,
					size_t *all);

/* Whether rules may bring it first packets to hold; of the first worker. */
bool worker_holds(const struct worker *worker);

/* As hold_admit_all(); of the first worker. */
void worker_admit_held(struct worker *worker);

/* Moves what it found of destinations into *out. */
void worker_take_detours(struct worker *worker, struct auto_bypass *out);

/* As session_end_taken(). */
void worker_end_taken(struct worker *worker);

/* Moves what its sessions have carried since the last time into *out, to be given to tally_free().
 */
void worker_take_tally(struct worker *worker, struct tally *out);

/* Describes the session of this number; false if the worker has none. */
bool worker_get_session(struct worker *worker, uint64_t id, struct session_detail *out);

/* As session_kill(). */
bool worker_kill_session(struct worker *worker, uint64_t id);

/* Ends its sessions and the thread, and frees it. */
void worker_stop(struct worker *worker);

#endif
