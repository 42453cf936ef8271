/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers the control socket's commands as JSON. The schema is described in hawser(1). */
#ifndef HAWSER_DAEMON_REPORT_H
#define HAWSER_DAEMON_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "session/stats.h"

struct access_log;
struct announced;
struct packets;
struct sockmap;
struct config;
struct doctor_record;
struct on_event;
struct interception;
struct json_object;
struct links;
struct local;
struct speed;
struct usage;
struct worker;

/* How the last reload went. */
struct report_reload {
	double at_s;   /* CLOCK_MONOTONIC; 0: there was none */
	double time_s; /* since 1970 */
	bool failed;
	char said[1024]; /* errors and warnings; "": none */
};

/* What the answers are made from; the pointers are borrowed. */
struct report_source {
	const struct config *config;
	const struct sockmap *sockmap;
	const struct packets *packets; /* NULL: none */
	struct worker **workers;
	size_t worker_count;
	const struct local *local; /* NULL: not asked for */
	const struct links *links; /* NULL: none */
	const struct announced *announced;
	struct access_log *access_log;	 /* NULL: none */
	const struct on_event *on_event; /* the same */
	struct usage *usage;		 /* the same */
	const struct doctor_record *doctor;
	struct speed *speed; /* the same */
	const struct interception *interception;
	double started;		  /* CLOCK_MONOTONIC seconds */
	const char *file;	  /* of the configuration; NULL: none */
	const char *awaited_file; /* that is read when it is there; NULL: none */
	struct report_reload reload;
	bool draining;
};

/* The answer to one command ("status", "sessions"), of which request may say more; an object with
 * the one member "error" for anything else; NULL without memory. The caller owns one reference.
 * Main thread only. */
struct json_object *report_answer(const struct report_source *source, const char *command,
				  struct json_object *request);

/* Of all workers. */
struct stats report_sum_stats(const struct report_source *source);

#endif
