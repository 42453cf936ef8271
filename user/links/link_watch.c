/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the subflows of sessions that move tell about links. */
#include "links/link_watch.h"

#include <netinet/tcp.h>

#include "net/subflow.h"
#include "session/session_private.h"

#define LOOK_S 0.04
/* A session that has moved nothing for so long is left alone. */
#define MOVED_S 1.
/* A few sessions tell about their links what all would; so a look costs the same with thousands. */
#define LOOKED_AT_MAX 8
#define WALKED_MAX    512
/* An acknowledgement may be this late by the receiver's doing, beyond the round-trip time. */
#define LATE_MS 20
/* Bytes come closer together than this while a link is in use. */
#define QUIET_MS  40
#define RECENT_MS 1000

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* 0 is no round-trip time. */
static uint32_t shorter(uint32_t a, uint32_t b)
{
	return a == 0 || (b > 0 && b < a) ? b : a;
}

static const struct link_choice *find_choice(const struct link_choices *choices,
					     const union address *local)
{
	const enum link_family family = link_family(local);

	for (size_t i = 0; i < choices->count; i++)
		if (choices->links[i].sources[family].sa.sa_family != AF_UNSPEC &&
		    address_same_ip(&choices->links[i].sources[family], local))
			return &choices->links[i];
	return NULL;
}

void link_signs_add(struct link_signs *signs, const struct link_choices *choices,
		    const struct subflow *subflow)
{
	const struct link_choice *link = find_choice(choices, &subflow->local);
	const uint32_t patience_ms = subflow->rtt_us / 1000 * 5 / 4 + LATE_MS;
	const uint32_t got_ms = smaller(subflow->last_data_received_ms, subflow->last_ack_ms);
	uint32_t bit;

	if (!link || subflow->state != TCP_ESTABLISHED)
		return;
	bit = 1U << link->slot;
	if (smaller(got_ms, subflow->last_data_sent_ms) < RECENT_MS) {
		signs->moving |= bit;
		signs->rtt_us[link->slot] = shorter(signs->rtt_us[link->slot], subflow->rtt_us);
	}
	if (got_ms < QUIET_MS)
		signs->alive |= bit;
	/* As sender: what was sent last, and all before, has been waiting for so long. */
	if (subflow->unacked > 0 &&
	    smaller(subflow->last_data_sent_ms, subflow->last_ack_ms) > patience_ms)
		signs->silent |= bit;
	/* As receiver: it may be the end of an answer, so this is a reason to ask, no more. */
	if (subflow->last_data_received_ms > QUIET_MS && subflow->last_data_received_ms < RECENT_MS)
		signs->silent |= bit;
}

static bool moves_by_mptcp(const struct session *session, ev_tstamp now)
{
	const struct relay *relay = &session->relay;

	return session->state == SESSION_RELAYING && now - relay->last_activity < MOVED_S &&
	       (relay->server.transport == TRANSPORT_MPTCP ||
		relay->client.transport == TRANSPORT_MPTCP);
}

static void look_at(const struct leg *leg, const struct link_choices *choices,
		    struct link_signs *signs)
{
	struct subflow subflows[SUBFLOWS_MAX];
	size_t count;

	if (leg->transport != TRANSPORT_MPTCP)
		return;
	count = subflow_list(leg->fd, leg->transport, subflows);
	for (size_t i = 0; i < count; i++)
		link_signs_add(signs, choices, &subflows[i]);
}

/* Another worker may do the same. */
static void tell_rtt(_Atomic uint32_t *news, uint32_t rtt_us)
{
	uint32_t told = atomic_load(news);

	while (!atomic_compare_exchange_weak(news, &told, shorter(told, rtt_us)))
		;
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	const struct link_watch *watch = timer->data;
	const struct link_choices *choices = &watch->env->links.choices;
	const struct session *session = watch->env->sessions;
	struct link_news *news = choices->news;
	struct link_signs signs = {0};
	size_t looked_at = 0;

	(void)events;
	for (size_t i = 0; news && session && i < WALKED_MAX && looked_at < LOOKED_AT_MAX; i++) {
		if (moves_by_mptcp(session, ev_now(loop))) {
			look_at(&session->relay.server, choices, &signs);
			look_at(&session->relay.client, choices, &signs);
			looked_at++;
		}
		session = session->next;
	}
	if (looked_at == 0) {
		ev_timer_stop(loop, timer);
		return;
	}
	if (!signs.moving)
		return;
	atomic_fetch_or(&news->moving, signs.moving);
	atomic_fetch_or(&news->alive, signs.alive);
	atomic_fetch_or(&news->silent, signs.silent);
	for (size_t i = 0; i < LINKS_MAX; i++)
		if (signs.rtt_us[i] > 0)
			tell_rtt(&news->rtt_us[i], signs.rtt_us[i]);
	ev_async_send(news->loop, &news->async);
}

void link_watch_init(struct link_watch *watch, struct session_env *env)
{
	ev_timer *timer = &watch->timer;

	watch->env = env;
	ev_timer_init(timer, on_look, 0., LOOK_S);
	timer->data = watch;
}

void link_watch_wake(struct link_watch *watch)
{
	if (watch->env->links.choices.news && !ev_is_active(&watch->timer))
		ev_timer_again(watch->env->relay.loop, &watch->timer);
}
