/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket without room moves nothing any more, so who has just stopped is looked at, too. */
#include "session/room_watch.h"

#include "base/log.h"
#include "base/loop_clock.h"
#include "net/kernel.h"
#include "net/mptcp_room.h"
#include "session/session_private.h"

#define LOOK_S 0.1
/* It is found at one of the looks of this time. */
#define MOVED_S 1.
/* A peer can bring this about, so there is a bound for each socket and for all of a worker, which
 * counts in receive buffers. */
#define DOUBLED_MAX 2U
#define GRANTED_MAX 8U

static unsigned int granted(const struct leg *leg)
{
	return (1U << leg->doubled) - 1;
}

static void look_at(struct room_watch *watch, const struct session *session, struct leg *leg)
{
	const unsigned int before = leg->doubled;
	const unsigned int had = granted(leg);

	if (leg->transport != TRANSPORT_MPTCP || leg->fd < 0)
		return;
	leg->doubled = mptcp_room_adjust(leg->fd, before,
					 watch->granted + had < GRANTED_MAX ? DOUBLED_MAX : 0);
	watch->granted += granted(leg) - had;
	if (leg->doubled != before)
		log_debug("session %llu: its receive buffer is %s", (unsigned long long)session->id,
			  leg->doubled > before ? "doubled, as it is full of what lacks bytes"
						: "halved again");
}

static bool needs_look(const struct session *session, ev_tstamp now)
{
	const struct relay *relay = &session->relay;

	return (session->state == SESSION_RELAYING || session->state == SESSION_EXCHANGING) &&
	       (now - relay->last_activity < MOVED_S || relay->server.doubled > 0 ||
		relay->client.doubled > 0);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct room_watch *watch = timer->data;
	const ev_tstamp now = loop_clock_s(loop);
	unsigned int in_use = 0;
	bool moves = false;

	(void)events;
	for (struct session *session = watch->env->sessions; session; session = session->next) {
		if (!needs_look(session, now))
			continue;
		moves = true;
		look_at(watch, session, &session->relay.server);
		look_at(watch, session, &session->relay.client);
		in_use += granted(&session->relay.server) + granted(&session->relay.client);
	}
	watch->granted = in_use; /* sessions end, too */
	if (!moves)
		ev_timer_stop(loop, timer);
}

void room_watch_init(struct room_watch *watch, struct session_env *env)
{
	watch->env = env;
	ev_timer_init(&watch->timer, on_look, 0., LOOK_S);
	watch->timer.data = watch;
}

void room_watch_wake(struct room_watch *watch)
{
	/* A buffer that cannot be made larger needs no look. */
	if (!ev_is_active(&watch->timer) && kernel_feature(FEATURE_BUFFERS)->available)
		ev_timer_again(watch->env->relay.loop, &watch->timer);
}
