/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which links are behind a captive portal. */
#include "links/link_portals.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "links/link_exchange.h"
#include "links/portal_door.h"
#include "links/portal_verdict.h"
#include "names/name_query.h"
#include "proto/hop_message.h"

/* For an answer: two SYNs, or a satellite and back, twice. */
#define ANSWER_S 2.5
#define NAME_S	 4.

/* What an earlier hawserd knew holds for links that come so soon; later an address may be another
 * network's. */
#define REMEMBERED_S 60.

struct watched {
	struct link_portals *portals;
	bool active; /* asked by */
	uint32_t table;
	int device;
	char device_name[IF_NAMESIZE];
	union address addresses[IP_FAMILIES];
	bool metered;
	struct portal_verdict verdict;
	struct link_portal portal;
	unsigned int turn;     /* of the targets: the one that proved something, or the next */
	unsigned int unproven; /* greetings that proved nothing since a portal answered */
	/* Of a round: */
	struct name_query *query;
	struct link_exchange *asking;
	struct link_exchange *greeting;
	union address asked;
	struct portal_round round;
	bool moved;	/* who answers is another than before */
	ev_timer timer; /* to the next, or for the name */
};

struct link_portals {
	struct ev_loop *loop;
	const struct portal_config *config;
	struct name_asker *asker;
	struct exit_target targets[EXIT_TARGETS_MAX];
	size_t target_count;
	union address remembered[LINKS_MAX];
	size_t remembered_count;
	double remembered_s;		    /* since when */
	struct watched *watched[LINKS_MAX]; /* by link_slot(); NULL: not yet */
	link_portals_changed_fn *changed;
	void *context;
};

static void stop_asking(struct watched *watched)
{
	if (watched->query)
		name_query_cancel(watched->query);
	link_exchange_cancel(watched->asking);
	watched->query = NULL;
	watched->asking = NULL;
}

static void stop(struct watched *watched)
{
	ev_timer_stop(watched->portals->loop, &watched->timer);
	stop_asking(watched);
	link_exchange_cancel(watched->greeting);
	watched->greeting = NULL;
	watched->active = false;
}

static void start_timer(struct watched *watched, double wait_s)
{
	ev_timer_stop(watched->portals->loop, &watched->timer);
	ev_timer_set(&watched->timer, wait_s, 0.);
	ev_timer_start(watched->portals->loop, &watched->timer);
}

static void end_round(struct watched *watched)
{
	struct link_portals *portals = watched->portals;
	const double now = clock_monotonic_s();
	bool changed;

	if (watched->query || watched->asking || watched->greeting)
		return;
	changed = portal_verdict_take(&watched->verdict, &watched->round, now);
	start_timer(watched, portal_verdict_wait_s(&watched->verdict, watched->metered, now));
	changed = changed || (watched->verdict.found && watched->moved);
	watched->moved = false;
	if (changed)
		portals->changed(portals->context);
}

/* nobody: the URL where nobody is. */
static struct portal_question question_of(const struct watched *watched, const char *nobody)
{
	const struct portal_config *config = watched->portals->config;

	if (config->mode == PORTAL_URL)
		return (struct portal_question){.url = config->url, .answer = config->answer};
	return (struct portal_question){.url = nobody, .nobody = true};
}

static bool take_answer(void *context, const uint8_t *answer, size_t len, bool end)
{
	struct watched *watched = context;
	const unsigned int slot = link_slot(watched->table);
	char url[PORTAL_DOOR_URL_MAX];
	/* Who logs in comes by the door, so what the answer refers to is seen from there. */
	const struct portal_question question = question_of(watched, portal_door_url(slot, url));
	const union address at = question.nobody ? portal_door(slot) : watched->asked;
	char location[PORTAL_LOCATION_MAX];

	watched->round.word = portal_answer_read(&question, answer, len, end, location);
	if (watched->round.word == PORTAL_MORE && !end)
		return false;
	if (watched->round.word == PORTAL_CLOSED) {
		portal_door_lead(slot, location);
		watched->moved = !address_same_ip(&watched->portal.at, &at);
		memcpy(watched->portal.location, location, sizeof(location));
		watched->portal.at = at;
	}
	watched->asking = NULL;
	end_round(watched);
	return true;
}

static void ask_at(struct watched *watched, const union address *at)
{
	char url[PORTAL_DOOR_URL_MAX];
	const struct portal_question question =
		question_of(watched, portal_nobody_url(link_slot(watched->table), url));
	char request[PORTAL_REQUEST_MAX];
	const struct link_exchange_plan plan = {
		.device = watched->device_name,
		.from = &watched->addresses[address_family(at)],
		.to = at,
		.request = request,
		.len = portal_request_write(request, &question),
		.deadline_s = ANSWER_S,
	};

	watched->asked = *at;
	if (plan.from->sa.sa_family != AF_UNSPEC)
		watched->asking =
			link_exchange_start(watched->portals->loop, &plan, take_answer, watched);
}

static void on_name(void *context, enum cause cause, const union address *addresses, size_t count)
{
	struct watched *watched = context;
	union address at;

	watched->query = NULL;
	ev_timer_stop(watched->portals->loop, &watched->timer);
	if (cause == CAUSE_NONE && count > 0) {
		at = addresses[0];
		address_set_port(&at, watched->portals->config->at.port);
		ask_at(watched, &at);
	}
	end_round(watched);
}

/* The name servers, by the link, as a portal may be who answers. */
static void ask_name(struct watched *watched)
{
	struct link_portals *portals = watched->portals;
	const bool v4 = watched->addresses[IP_V4].sa.sa_family != AF_UNSPEC;

	if (portals->asker)
		(void)name_asker_refresh(portals->asker);
	else
		portals->asker = name_asker_open(portals->loop);
	if (portals->asker)
		watched->query = name_query_start(portals->asker, portals->config->at.host,
						  v4 ? AF_INET : AF_INET6, watched->addresses,
						  on_name, watched);
	if (watched->query)
		start_timer(watched, NAME_S);
}

static bool can_ask(const struct watched *watched, const union address *to)
{
	return watched->addresses[address_family(to)].sa.sa_family != AF_UNSPEC;
}

static size_t count_askable(const struct watched *watched)
{
	const struct link_portals *portals = watched->portals;
	size_t count = 0;

	for (size_t i = 0; i < portals->target_count; i++)
		count += can_ask(watched, &portals->targets[i].address);
	return count;
}

/* The next one in the next round. */
static void note_unproven(struct watched *watched)
{
	watched->turn++;
	watched->unproven++;
	watched->round.unasked = watched->unproven < count_askable(watched);
}

static bool take_greeting(void *context, const uint8_t *answer, size_t len, bool end)
{
	static const uint8_t expected[] = {5, HOP_METHOD};
	struct watched *watched = context;

	if (len < sizeof(expected) && !end)
		return false;
	watched->round.proven =
		len >= sizeof(expected) && memcmp(answer, expected, sizeof(expected)) == 0;
	watched->greeting = NULL;
	if (watched->round.proven)
		stop_asking(watched);
	else
		note_unproven(watched);
	end_round(watched);
	return true;
}

/* An exit answers before it knows who asks. */
static void greet(struct watched *watched)
{
	static const uint8_t greeting[] = {5, 1, HOP_METHOD};
	struct link_portals *portals = watched->portals;

	for (size_t i = 0; i < portals->target_count && !watched->greeting; i++) {
		const union address *to =
			&portals->targets[watched->turn % portals->target_count].address;
		const struct link_exchange_plan plan = {
			.device = watched->device_name,
			.from = &watched->addresses[address_family(to)],
			.to = to,
			.request = greeting,
			.len = sizeof(greeting),
			.deadline_s = ANSWER_S,
		};

		if (!can_ask(watched, to)) {
			watched->turn++;
			continue;
		}
		watched->round.provable = true;
		watched->greeting =
			link_exchange_start(portals->loop, &plan, take_greeting, watched);
		if (!watched->greeting)
			note_unproven(watched);
	}
}

static void begin_round(struct watched *watched)
{
	const struct portal_config *config = watched->portals->config;
	const union address nobody = portal_nobody(link_slot(watched->table));

	watched->round = (struct portal_round){.provable = config->mode == PORTAL_URL};
	portal_verdict_ask(&watched->verdict, clock_monotonic_s());
	if (config->mode != PORTAL_URL)
		ask_at(watched, &nobody);
	else if (config->at.host[0])
		ask_name(watched);
	else
		ask_at(watched, &config->at.address);
	if (portal_verdict_needs_proof(&watched->verdict))
		greet(watched);
	else
		watched->unproven = 0;
	end_round(watched);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct watched *watched = timer->data;

	(void)loop;
	(void)events;
	if (watched->query) {
		name_query_cancel(watched->query);
		on_name(watched, CAUSE_RESOLVE_FAILED, NULL, 0);
	} else {
		begin_round(watched);
	}
}

static bool may_ask(const struct link_portals *portals, const struct link *link)
{
	const bool v4 = link->paths[IP_V4].works;

	return portals->config && portals->config->mode != PORTAL_OFF && !link->config.no_probe &&
	       link->state != LINK_STATE_STANDBY &&
	       (v4 || (portals->config->mode == PORTAL_URL && link->paths[IP_V6].works));
}

/* IPv6 has temporary addresses, which tell nothing of where IPv4 leads. */
static bool is_same(const struct watched *watched, const struct link *link)
{
	const union address *v4 = &link->paths[IP_V4].address;

	return watched->table == link->table && watched->device == link->device &&
	       address_same_ip(&watched->addresses[IP_V4], v4) &&
	       ((watched->portals->config->mode == PORTAL_AUTO && v4->sa.sa_family != AF_UNSPEC) ||
		address_same_ip(&watched->addresses[IP_V6], &link->paths[IP_V6].address));
}

static void take_addresses(struct watched *watched, const struct link *link)
{
	for (enum ip_family family = 0; family < IP_FAMILIES; family++)
		watched->addresses[family] = link->paths[family].address;
}

static bool was_behind_one(struct link_portals *portals, const struct link *link)
{
	if (clock_monotonic_s() - portals->remembered_s > REMEMBERED_S)
		portals->remembered_count = 0;
	for (size_t i = 0; i < portals->remembered_count; i++)
		if (address_same_ip(&portals->remembered[i], &link->paths[IP_V4].address) ||
		    address_same_ip(&portals->remembered[i], &link->paths[IP_V6].address)) {
			portals->remembered[i] = portals->remembered[--portals->remembered_count];
			return true;
		}
	return false;
}

/* Nothing is known of it yet, but what an earlier hawserd knew. */
static void get_to_know(struct watched *watched, struct link_portals *portals,
			const struct link *link)
{
	*watched =
		(struct watched){.portals = portals, .table = link->table, .device = link->device};
	memcpy(watched->device_name, link->config.device, sizeof(watched->device_name));
	watched->verdict.found = was_behind_one(portals, link);
	watched->verdict.found_s = clock_monotonic_s();
	ev_init(&watched->timer, on_timer);
	watched->timer.data = watched;
}

static void start(struct link_portals *portals, const struct link *link)
{
	const unsigned int slot = link_slot(link->table);
	struct watched *watched = portals->watched[slot];
	const bool is_new = !watched;

	if (is_new)
		watched = calloc(1, sizeof(*watched));
	if (!watched)
		return;
	portals->watched[slot] = watched;
	if (is_new || !is_same(watched, link))
		get_to_know(watched, portals, link);
	take_addresses(watched, link);
	watched->active = true;
	watched->metered = link->config.role == LINK_ROLE_METERED;
	start_timer(watched, 0.);
}

void link_portals_follow(struct link_portals *portals, const struct link *links, size_t count)
{
	bool wanted[LINKS_MAX] = {false};

	for (size_t i = 0; i < count; i++) {
		const unsigned int slot = link_slot(links[i].table);
		struct watched *watched = portals->watched[slot];

		wanted[slot] = may_ask(portals, &links[i]);
		if (!wanted[slot])
			continue;
		if (watched && watched->active && is_same(watched, &links[i])) {
			take_addresses(watched, &links[i]);
			continue;
		}
		if (watched)
			stop(watched);
		start(portals, &links[i]);
	}
	for (size_t i = 0; i < LINKS_MAX; i++)
		if (portals->watched[i] && portals->watched[i]->active && !wanted[i])
			stop(portals->watched[i]);
}

static const struct watched *find(const struct link_portals *portals, const struct link *link)
{
	const struct watched *watched = portals->watched[link_slot(link->table)];

	return watched && watched->active && watched->verdict.found ? watched : NULL;
}

void link_portals_mark(const struct link_portals *portals, struct link *links, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!find(portals, &links[i]))
			continue;
		links[i].state = LINK_STATE_PORTAL;
		links[i].paths[IP_V4].works = links[i].paths[IP_V6].works = false;
	}
}

const struct link_portal *link_portals_get(const struct link_portals *portals,
					   const struct link *link)
{
	const struct watched *watched =
		link->state == LINK_STATE_PORTAL ? find(portals, link) : NULL;

	return watched ? &watched->portal : NULL;
}

void link_portals_doubt(struct link_portals *portals, uint32_t slots)
{
	for (unsigned int i = 0; i < LINKS_MAX; i++) {
		struct watched *watched = portals->watched[i];

		if (slots & 1U << i && watched && watched->active &&
		    portal_verdict_doubt(&watched->verdict, clock_monotonic_s()) &&
		    !watched->query && !watched->asking && !watched->greeting)
			start_timer(watched, 0.);
	}
}

void link_portals_guest(struct link_portals *portals, uint32_t slots)
{
	for (unsigned int i = 0; i < LINKS_MAX; i++)
		if (slots & 1U << i && portals->watched[i])
			portals->watched[i]->verdict.guest_s = clock_monotonic_s();
}

void link_portals_target(struct link_portals *portals, const struct exit_target *targets,
			 size_t count)
{
	memcpy(portals->targets, targets, count * sizeof(*targets));
	portals->target_count = count;
}

void link_portals_remember(struct link_portals *portals, const union address *addresses,
			   size_t count)
{
	memcpy(portals->remembered, addresses, count * sizeof(*addresses));
	portals->remembered_count = count;
	portals->remembered_s = clock_monotonic_s();
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void forget_all(struct link_portals *portals)
{
	for (size_t i = 0; i < LINKS_MAX; i++) {
		if (portals->watched[i])
			stop(portals->watched[i]);
		free(portals->watched[i]);
		portals->watched[i] = NULL;
	}
}

void link_portals_configure(struct link_portals *portals, const struct portal_config *config)
{
	const struct portal_config *old = portals->config;

	if (old && (old->mode != config->mode || !same_text(old->url, config->url) ||
		    !same_text(old->answer, config->answer)))
		forget_all(portals);
	portals->config = config;
}

struct link_portals *link_portals_open(struct ev_loop *loop, link_portals_changed_fn *changed,
				       void *context)
{
	struct link_portals *portals = calloc(1, sizeof(*portals));

	if (!portals)
		return NULL;
	portals->loop = loop;
	portals->changed = changed;
	portals->context = context;
	return portals;
}

void link_portals_close(struct link_portals *portals)
{
	if (!portals)
		return;
	forget_all(portals);
	name_asker_close(portals->asker);
	free(portals);
}
