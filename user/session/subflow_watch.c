/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the subflows of sessions that move tell about links. */
#include "session/subflow_watch.h"

#include "base/loop_clock.h"
#include "links/link_news.h"
#include "net/subflow.h"
#include "session/session_private.h"

#define LOOK_S 0.04
/* A session that has moved nothing for so long is left alone. */
#define MOVED_S 1.
/* A few sessions tell about their links what all would; so a look costs the same with thousands. */
#define LOOKED_AT_MAX 8
#define WALKED_MAX    512

static bool moves_by_mptcp(const struct session *session, ev_tstamp now)
{
	const struct relay *relay = &session->relay;

	return (session->state == SESSION_RELAYING || session->state == SESSION_EXCHANGING) &&
	       now - relay->last_activity < MOVED_S &&
	       (relay->server.transport == TRANSPORT_MPTCP ||
		relay->client.transport == TRANSPORT_MPTCP);
}

static void look_at(const struct leg *leg, const struct link_choices *choices,
		    struct link_signs *signs)
{
	struct subflow subflows[SUBFLOWS_MAX];
	const struct subflow *awaited;
	size_t count;

	if (leg->transport != TRANSPORT_MPTCP)
		return;
	count = subflow_list(leg->fd, leg->transport, subflows);
	for (size_t i = 0; i < count; i++)
		link_signs_add(signs, choices, &subflows[i]);
	awaited = subflow_awaited(leg->fd, subflows, count);
	if (awaited)
		link_signs_add_awaited(signs, choices, awaited);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	const struct subflow_watch *watch = timer->data;
	const struct link_choices *choices = &watch->env->links.choices;
	const struct session *session = watch->env->sessions;
	struct link_news *news = choices->news;
	struct link_signs signs = {0};
	size_t looked_at = 0;

	(void)events;
	for (size_t i = 0; news && session && i < WALKED_MAX && looked_at < LOOKED_AT_MAX; i++) {
		if (moves_by_mptcp(session, loop_clock_s(loop))) {
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
	if (signs.moving)
		link_news_tell(news, &signs);
}

void subflow_watch_init(struct subflow_watch *watch, struct session_env *env)
{
	ev_timer *timer = &watch->timer;

	watch->env = env;
	ev_timer_init(timer, on_look, 0., LOOK_S);
	timer->data = watch;
}

void subflow_watch_wake(void *arg)
{
	struct subflow_watch *watch = arg;

	room_watch_wake(&watch->env->room_watch);
	if (watch->env->links.choices.news && !ev_is_active(&watch->timer))
		ev_timer_again(watch->env->relay.loop, &watch->timer);
}
