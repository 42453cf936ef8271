/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a destination to a connected socket: resolve, race the addresses by Happy Eyeballs v2
 * (RFC 8305), MPTCP or TCP. Relays nothing, and has no deadline of its own: the caller cancels. */
#ifndef HAWSER_DIAL_H
#define HAWSER_DIAL_H

#include "address.h"
#include "cause.h"
#include "config.h"
#include "mptcp.h"

struct dial;
struct ev_loop;
struct link_picker;
struct mptcp_pause;
struct resolver;
struct tcp_only;

enum dial_event {
	DIAL_CONNECTING, /* the first attempt is about to start */
	DIAL_CONNECTED,	 /* fd is the receiver's */
	DIAL_FAILED,
};

struct dial_result {
	int fd; /* -1 unless connected */
	enum transport transport;
	enum cause cause;
};

/* Always called from the loop, never before dial_start() returns. After DIAL_CONNECTED and
 * DIAL_FAILED the dial is gone. */
typedef void dial_fn(void *context, enum dial_event event, const struct dial_result *result);

struct dial_request {
	struct ev_loop *loop;
	struct resolver *resolver;
	struct tcp_only *tcp_only; /* asked and told with MPTCP_MODE_AUTO */
	struct mptcp_pause *mptcp_pause;
	struct link_picker *links; /* NULL: the kernel chooses */
	const struct config *config;
	const struct destination *destination; /* copied */
	const union address *client;	       /* who asks; not kept */
};

/* NULL when out of memory. All but destination and client must outlive the dial. */
struct dial *dial_start(const struct dial_request *request, dial_fn *notify, void *context);

/* Ends all attempts; notify is not called any more. */
void dial_cancel(struct dial *dial);

#endif
