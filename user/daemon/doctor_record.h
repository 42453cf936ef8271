/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the last `hawser doctor` found, as it has told by the control socket: for who cannot run it.
 * Bounded memory. Main thread. */
#ifndef HAWSER_DAEMON_DOCTOR_RECORD_H
#define HAWSER_DAEMON_DOCTOR_RECORD_H

#define DOCTOR_CHECKS_MAX 512

struct json_object;

/* All zero at the start. */
struct doctor_record {
	struct json_object *coming; /* checks of a run that has not ended */
	struct json_object *checks; /* of the last one; NULL: none */
	char verdict[8];
	double at_s;   /* CLOCK_MONOTONIC; 0: never */
	double time_s; /* since 1970 */
};

/* A part of a run: request has "begin", or "check", or "verdict", which ends it. An answer. */
struct json_object *doctor_record_take(struct doctor_record *record, struct json_object *request);

/* {"time", "age_s", "verdict", "checks"}; without any run "checks" is empty, and "verdict". */
struct json_object *doctor_record_report(const struct doctor_record *record);

void doctor_record_free(struct doctor_record *record);

#endif
