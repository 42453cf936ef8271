/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a destination to a connected socket: resolve, race the addresses by Happy Eyeballs v2
 * (RFC 8305), MPTCP or TCP. Relays nothing, and has no deadline of its own: the caller cancels. */
#ifndef HAWSER_UPSTREAM_DIAL_H
#define HAWSER_UPSTREAM_DIAL_H

#include "auth/egress_policy.h"
#include "base/address.h"
#include "base/cause.h"
#include "config/config.h"
#include "net/mptcp.h"
#include "shared/affinity.h"

struct auto_bypass;
struct dial;
struct ev_loop;
struct exit_state;
struct link_choice;
struct link_picker;
struct mptcp_blackhole;
struct portal_guests;
struct recent_dials;
struct resolver;
struct tcp_only;

enum dial_event {
	DIAL_CONNECTING, /* the first attempt is about to start */
	DIAL_CONNECTED,	 /* fd is the receiver's */
	DIAL_FAILED,
};

enum dial_name {
	DIAL_NAME_UNKNOWN, /* there was none, or it does not matter yet */
	DIAL_NAME_IN_TIME, /* it was answered */
	DIAL_NAME_LATE,	   /* it was not, so known addresses were used */
};

struct dial_result {
	int fd; /* -1 unless connected */
	enum transport transport;
	union address address; /* that was dialled; AF_UNSPEC unless connected */
	union address bound;   /* this end of it, or the exit's; AF_UNSPEC: unknown */
	enum cause cause;
	bool others; /* there are addresses besides that were not skipped, or there may be: a lookup
			has not been answered */
	enum dial_name name;
	bool no_exit; /* of exit_dial_start(): it failed for want of an exit */
	/* The same, when an exit made the connection: */
	struct exit_state *exit; /* NULL: none did; kept by the configuration */
	size_t first_sent;	 /* so many of the client's first bytes have left */
	uint64_t taken;		 /* bytes that were read from fd, the exit's answers */
};

/* Always called from the loop, never before dial_start() returns. After DIAL_CONNECTED and
 * DIAL_FAILED the dial is gone. */
typedef void dial_fn(void *context, enum dial_event event, const struct dial_result *result);

/* What many dials share; outlives them. */
struct dial_env {
	struct ev_loop *loop;
	struct resolver *resolver;
	struct mptcp_blackhole *mptcp_blackhole;
	struct link_picker *links; /* also says which addresses are ours */
	struct affinity *affinity; /* NULL: links take turns, exits' addresses are drawn by lot */
	struct portal_guests *guests; /* NULL: nobody goes to log in at a portal */
	const struct config *config;
};

struct dial_request {
	struct dial_env env;
	struct tcp_only *tcp_only; /* asked and told with MPTCP_MODE_AUTO; NULL: always MPTCP */
	struct affinity_pair pair; /* what goes the same way; hash 0: client and destination */
	struct recent_dials *recent_dials; /* told of this one; NULL: none is */
	const struct destination *destination;
	const union address
		*also; /* another address of it, with the port; NULL or AF_UNSPEC: none */
	const union address *client; /* who asks */
	struct egress_policy egress; /* judges each address that is tried */
	/* Addresses that are not to be tried; context is skip_context. NULL: all are. */
	bool (*skip)(void *context, const union address *address);
	void *skip_context;
	const union address *known; /* where the name led before, for when it leads nowhere, or not
				       soon */
	size_t known_count;
	bool known_at_once;
	bool ask_every_link; /* name servers are asked by each */
	bool spread;	     /* the pair has its own order of addresses; without one, by lot */
	bool every_link;     /* where one is slow to connect, the others are tried meanwhile */
	bool fast_open;	     /* plain TCP need not be connected to be DIAL_CONNECTED, as of
				socket_send_early() */
	const struct link_choice *only; /* with plain: by this link or not at all; NULL: by any */
	bool plain;			/* TCP, whatever the configuration says */
	bool transparent;		/* the client was taken on its way */
	bool by_portal; /* by the link in this slot, which is behind a portal, and no other */
	unsigned int portal_slot;
	struct auto_bypass *auto_bypass; /* told what has no MPTCP, with auto-bypass */
};

/* NULL when out of memory. All that the request points to must outlive the dial. */
struct dial *dial_start(const struct dial_request *request, dial_fn *notify, void *context);

/* Ends all attempts; notify is not called any more. */
void dial_cancel(struct dial *dial);

#endif
