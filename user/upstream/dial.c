/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The course of a dial: which address is tried next, and when. */
#include "upstream/dial.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/loop_clock.h"
#include "links/link_choice.h"
#include "links/link_news.h"
#include "upstream/dial_private.h"
#include "upstream/resolver.h"

/* RFC 8305 section 8. */
#define ATTEMPT_DELAY_S 0.25

/* A link that is far away is no reason to use a backup. */
#define BACKUP_DELAY_S 0.75

void dial_note(struct dial *dial, enum cause cause)
{
	if (cause_info(cause)->rank > cause_info(dial->cause)->rank || dial->cause == CAUSE_NONE)
		dial->cause = cause;
}

/* For an attempt. Where no other is under way, it has that of the session. */
static bool dial_take_descriptor(const struct dial *dial)
{
	return dial->attempts_active == 0 || descriptors_take(DESCRIPTORS_ATTEMPT, 1);
}

static void dial_give_descriptor(const struct dial *dial)
{
	if (dial->attempts_active > 0)
		descriptors_give(DESCRIPTORS_ATTEMPT, 1);
}

void dial_attempt_ended(struct dial *dial)
{
	dial->attempts_active--;
	dial_give_descriptor(dial);
}

/* Closes the attempts but keep, forgets the lookups, frees. */
static void dial_free(struct dial *dial, const struct dial_attempt *keep)
{
	ev_timer_stop(dial->request.env.loop, &dial->begin);
	ev_timer_stop(dial->request.env.loop, &dial->resolution);
	ev_timer_stop(dial->request.env.loop, &dial->delay);
	ev_timer_stop(dial->request.env.loop, &dial->patience);
	for (size_t i = 0; i < IP_FAMILIES; i++)
		if (dial->family[i].lookup)
			lookup_cancel(dial->family[i].lookup);
	for (size_t i = 0; i < dial->attempt_count; i++) {
		struct dial_attempt *attempt = &dial->attempts[i];

		if (attempt->io.fd < 0)
			continue;
		ev_io_stop(dial->request.env.loop, &attempt->io);
		if (attempt != keep)
			close(attempt->io.fd);
		dial_attempt_ended(dial);
	}
	free(dial);
}

void dial_finish(struct dial *dial, const struct dial_attempt *winner, enum transport transport)
{
	struct dial_result result = {
		.fd = winner ? winner->io.fd : -1,
		.transport = transport,
		.cause = winner ? CAUSE_NONE : dial->cause,
		.name = dial->name,
		.others = dial_known(dial) > (winner ? 1 : 0) || dial_is_resolving(dial),
	};
	dial_fn *notify = dial->notify;
	void *context = dial->context;

	if (winner) {
		result.address = winner->address;
		result.bound = winner->from;
	}
	dial_free(dial, winner);
	notify(context, winner ? DIAL_CONNECTED : DIAL_FAILED, &result);
}

void dial_cancel(struct dial *dial)
{
	dial_free(dial, NULL);
}

bool dial_sticks(const struct dial *dial, const union address *to, struct affinity_asker *out)
{
	if (!dial->request.env.affinity || dial->request.env.config->sticky_s == 0)
		return false;
	*out = (struct affinity_asker){
		.affinity = dial->request.env.affinity,
		.pair = dial->request.pair.hash
				? dial->request.pair
				: affinity_pair(dial->request.env.affinity, dial->request.client,
						dial->request.destination->host, to),
		.keep_s = dial->request.env.config->sticky_s,
		.now_s = loop_clock_s(dial->request.env.loop),
	};
	return true;
}

static const union address *dial_pick(struct dial *dial)
{
	for (int i = 0; i < IP_FAMILIES; i++) {
		struct candidates *family = &dial->family[(dial->turn + i) % IP_FAMILIES];

		if (family->next < family->count) {
			dial->turn = (dial->turn + i + 1) % IP_FAMILIES;
			return &family->addresses[family->next++];
		}
	}
	return NULL;
}

/* The links that have been tried for an address, by the bits of their slots; false: nothing is to
 * be gained by another. */
static bool dial_links_tried(const struct dial *dial, const union address *address, uint32_t *tried)
{
	*tried = 0;
	for (size_t i = 0; i < dial->attempt_count; i++) {
		const struct dial_attempt *attempt = &dial->attempts[i];

		if (!address_same_ip(&attempt->address, address))
			continue;
		if (attempt->final || attempt->slot < 0)
			return false;
		*tried |= 1U << attempt->slot;
	}
	return true;
}

/* A link by which an address has not been tried; a backup only if the others had their time. */
static const struct link_choice *dial_other_link(const struct dial *dial, enum ip_family family,
						 uint32_t tried, bool *later)
{
	const struct link_choice *link =
		link_picker_other(dial->request.env.links, family, tried, false);

	if (link)
		return link;
	link = link_picker_other(dial->request.env.links, family, tried, true);
	if (!link || dial->attempts_active == 0 ||
	    clock_monotonic_s() - dial->connecting_s >= BACKUP_DELAY_S)
		return link;
	*later = true;
	return NULL;
}

/* An address again by a link by which it has not been tried; NULL: there is none, or it is not time
 * for it. What is being tried is slow, so its link is looked at. */
static const union address *dial_pick_again(const struct dial *dial,
					    const struct link_choice **link, bool *later)
{
	for (size_t i = 0; dial->request.every_link && i < dial->attempt_count; i++) {
		const struct dial_attempt *attempt = &dial->attempts[i];
		uint32_t tried;

		if (!dial_links_tried(dial, &attempt->address, &tried))
			continue;
		*link = dial_other_link(dial, address_family(&attempt->address), tried, later);
		if (!*link)
			continue;
		if (dial->request.env.links->choices.news)
			link_news_overtaken(dial->request.env.links->choices.news,
					    (unsigned int)attempt->slot);
		return &attempt->address;
	}
	return NULL;
}

void dial_next(struct dial *dial)
{
	bool later = false;

	while (dial->attempt_count < ATTEMPTS_MAX) {
		struct dial_attempt *attempt = &dial->attempts[dial->attempt_count];
		const struct link_choice *link = NULL;
		const union address *address;
		int err;

		/* There is one when an attempt of ours has failed, if not before. */
		if (!dial_take_descriptor(dial)) {
			later = true;
			break;
		}
		address = dial_pick(dial);
		if (!address)
			address = dial_pick_again(dial, &link, &later);
		if (!address) {
			dial_give_descriptor(dial);
			break;
		}
		*attempt = (struct dial_attempt){
			.dial = dial, .address = *address, .slot = -1, .io.fd = -1};
		dial->attempt_count++;
		dial->attempts_active++;
		err = dial_attempt_start(attempt, link);
		if (err == 0) {
			ev_timer_again(dial->request.env.loop, &dial->delay);
			return;
		}
		dial_attempt_failed(attempt, cause_from_errno(-err));
	}
	if (later) {
		ev_timer_again(dial->request.env.loop, &dial->delay);
		return;
	}
	ev_timer_stop(dial->request.env.loop, &dial->delay);
	if (dial->attempts_active == 0 && !dial_is_resolving(dial))
		dial_finish(dial, NULL, TRANSPORT_NONE);
}

void dial_connect(struct dial *dial)
{
	ev_timer_stop(dial->request.env.loop, &dial->resolution);
	if (!dial->connecting) {
		dial->connecting = true;
		dial->connecting_s = clock_monotonic_s();
		dial->notify(dial->context, DIAL_CONNECTING, NULL);
	}
	dial_next(dial);
}

static void dial_on_delay(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	dial_next(timer->data);
}

struct dial *dial_start(const struct dial_request *request, dial_fn *notify, void *context)
{
	struct dial *dial = calloc(1, sizeof(*dial));

	if (!dial)
		return NULL;
	dial->request = *request;
	if (request->transparent && !request->by_portal &&
	    request->env.config->intercept.transparent_source)
		dial->source = *request->client;
	/* RFC 8305 section 4: the families take turns, IPv6 first. */
	dial->turn = IP_V6;
	dial->notify = notify;
	dial->context = context;
	ev_timer_init(&dial->delay, dial_on_delay, 0., ATTEMPT_DELAY_S);
	dial->delay.data = dial;
	dial_start_names(dial);
	return dial;
}
