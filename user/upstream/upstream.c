/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one door from a destination to a connected socket. */
#include "upstream/upstream.h"

#include <stdlib.h>

#include "base/loop_clock.h"
#include "links/link_choice.h"
#include "links/link_news.h"
#include "links/portal_door.h"
#include "shared/portal_guests.h"
#include "upstream/exit_dial.h"

struct upstream_dial {
	struct dial_request request; /* with pointers to the next two */
	struct destination destination;
	union address client;
	struct exit_dial *by_exit; /* NULL: not, or not any more */
	struct dial *direct;	   /* the same */
	dial_fn *notify;
	void *context;
};

void upstream_cancel(struct upstream_dial *upstream)
{
	if (!upstream)
		return;
	if (upstream->by_exit)
		exit_dial_cancel(upstream->by_exit);
	if (upstream->direct)
		dial_cancel(upstream->direct);
	free(upstream);
}

static void finish(struct upstream_dial *upstream, enum dial_event event,
		   const struct dial_result *result)
{
	dial_fn *notify = upstream->notify;
	void *context = upstream->context;

	free(upstream);
	notify(context, event, result);
}

static void on_direct(void *context, enum dial_event event, const struct dial_result *result)
{
	struct upstream_dial *upstream = context;

	if (event != DIAL_CONNECTING) {
		upstream->direct = NULL;
		finish(upstream, event, result);
	} else {
		upstream->notify(upstream->context, event, result);
	}
}

/* The exits have told of DIAL_CONNECTING already. */
static void on_direct_after_exits(void *context, enum dial_event event,
				  const struct dial_result *result)
{
	if (event != DIAL_CONNECTING)
		on_direct(context, event, result);
}

static void go_direct(struct upstream_dial *upstream)
{
	destination_forget_name(&upstream->destination);
	upstream->direct = dial_start(&upstream->request, on_direct_after_exits, upstream);
	if (!upstream->direct)
		finish(upstream, DIAL_FAILED,
		       &(struct dial_result){.fd = -1, .cause = CAUSE_RESOURCES});
}

static void on_exit_dial(void *context, enum dial_event event, const struct dial_result *result)
{
	struct upstream_dial *upstream = context;

	if (event == DIAL_CONNECTING) {
		upstream->notify(upstream->context, event, result);
		return;
	}
	upstream->by_exit = NULL;
	if (event == DIAL_FAILED && result->no_exit &&
	    upstream->request.env.config->when_no_exit == WHEN_NO_EXIT_DIRECT)
		go_direct(upstream);
	else
		finish(upstream, event, result);
}

/* A client that opens the door of a portal goes on by that link alone, until it has logged in or
 * some minutes have passed: where a portal's pages lead nobody can know. False: it goes as all do.
 */
static bool lead_to_portal(struct upstream_dial *upstream)
{
	struct dial_request *request = &upstream->request;
	struct destination *destination = &upstream->destination;
	const struct link_choices *choices = &request->env.links->choices;
	const double now = loop_clock_s(request->env.loop);
	const struct link_choice *link =
		link_choices_portal(choices, portal_door_slot(&destination->address));

	if (!request->env.guests || request->egress.kind == EGRESS_NOT_SPECIAL)
		return false;
	if (link) {
		portal_guests_note(request->env.guests, &upstream->client, link->slot, now);
		link_news_guest(choices->news, link->slot);
		if (link->portal_at.sa.sa_family != AF_UNSPEC) {
			destination->address = link->portal_at;
			destination->port = address_port(&link->portal_at);
		}
	} else {
		link = link_choices_portal(
			choices, portal_guests_find(request->env.guests, &upstream->client, now));
	}
	if (!link)
		return false;
	request->by_portal = request->plain = true;
	request->portal_slot = link->slot;
	/* Nobody but the client is to have looked it up. */
	destination_forget_name(destination);
	return true;
}

struct upstream_dial *upstream_start(const struct dial_request *request, bool by_exit,
				     const void *first, size_t first_len, dial_fn *notify,
				     void *context)
{
	struct upstream_dial *upstream = calloc(1, sizeof(*upstream));

	if (!upstream)
		return NULL;
	upstream->request = *request;
	upstream->destination = *request->destination;
	upstream->client = *request->client;
	upstream->request.destination = &upstream->destination;
	upstream->request.client = &upstream->client;
	upstream->notify = notify;
	upstream->context = context;
	if (lead_to_portal(upstream))
		by_exit = false;
	if (by_exit)
		upstream->by_exit = exit_dial_start(&upstream->request, first, first_len,
						    on_exit_dial, upstream);
	else
		upstream->direct = dial_start(&upstream->request, on_direct, upstream);
	if (!upstream->by_exit && !upstream->direct) {
		free(upstream);
		return NULL;
	}
	return upstream;
}
