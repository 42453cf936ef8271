/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a token may have of speed tests: one at a time, and so many bytes a day. A day has 24 hours
 * and begins with the first test. Any thread. */
#ifndef HAWSER_SHARED_SPEED_LIMIT_H
#define HAWSER_SHARED_SPEED_LIMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/speed_message.h"

#define SPEED_CONNECTIONS_MAX 8 /* of one test at once */
/* So long a test keeps its place without a connection: between its parts. */
#define SPEED_PAUSE_S 3.

struct speed_limit {
	pthread_mutex_t lock;
	bool begun;	   /* there is a day */
	double day_s;	   /* when it began, as all times here of clock_monotonic_s() */
	uint64_t used;	   /* bytes of that day */
	uint64_t test;	   /* whose turn it is, if it has connections, or until idle_s */
	unsigned int held; /* connections */
	double end_s;	   /* when the last of them is over at the latest */
	double idle_s;
};

void speed_limit_init(struct speed_limit *limit);
void speed_limit_fini(struct speed_limit *limit); /* no connection is left */

/* Judges a request; day_bytes: what the token may have, 0: nothing. True: the connection is
 * counted, and to be given back by speed_limit_end(). *verdict is filled in any case. */
bool speed_limit_begin(struct speed_limit *limit, const struct speed_request *request,
		       uint64_t day_bytes, double now_s, struct speed_verdict *verdict);
void speed_limit_end(struct speed_limit *limit, double now_s);

/* Bytes that went either way. False: the day's are used up. */
bool speed_limit_charge(struct speed_limit *limit, uint64_t bytes, uint64_t day_bytes,
			double now_s);

#endif
