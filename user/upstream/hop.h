/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One attempt to reach a destination by one exit: connect, send all at once, read the answers.
 * Tells the exit's struct what it found out; chooses nothing. */
#ifndef HAWSER_UPSTREAM_HOP_H
#define HAWSER_UPSTREAM_HOP_H

#include <stddef.h>
#include <stdint.h>

#include "upstream/dial.h"

struct hop;
struct speed_request;

enum hop_outcome {
	HOP_CONNECTED,		/* to the destination; fd is the receiver's */
	HOP_DESTINATION_FAILED, /* the exit says why */
	HOP_EXIT_FAILED,
	HOP_EXIT_LOST, /* the same, but first bytes have left for it, and it may have passed them
			  on: they must not be sent again */
};

struct hop_result {
	enum hop_outcome outcome;
	int fd; /* -1 unless connected */
	enum transport transport;
	enum cause cause;
	union address bound; /* the exit's end of the connection to the destination */
	uint64_t taken;	     /* bytes that were read from fd */
	size_t first_sent;   /* of the request's first bytes: the exit may answer before all left */
};

/* Called once from the loop, never before hop_start() returns; the hop is gone then. */
typedef void hop_fn(void *context, const struct hop_result *result);

/* All but what is copied must outlive the hop. */
struct hop_request {
	struct dial_env env;
	struct affinity_pair pair; /* the client's, with affinity */
	const struct exit_config *exit;
	const struct destination *destination; /* copied. NULL: a probe, or a speed test */
	const struct speed_request *speed; /* copied. NULL: none. The exit is not judged by it */
	const struct link_choice *only;	   /* by plain TCP over this link; NULL: by any */
	const union address *at; /* of a probe: it is this address of the exit that is asked, and
				    not the exit that is judged; copied. NULL: the exit */
	const void *first;	 /* the client's first bytes */
	size_t first_len;
};

/* NULL when out of memory. */
struct hop *hop_start(const struct hop_request *request, hop_fn *notify, void *context);

/* notify is not called any more. */
void hop_cancel(struct hop *hop);

#endif
