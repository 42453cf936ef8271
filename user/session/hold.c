/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connect first, accept after. A rule logs a client's first packet to a group, and drops it. When
 * the dial stands, it is received again, with a mark that has it pass to the listener; the session
 * that is then accepted finds its connection waiting. What cannot be held is received again at
 * once, and its session dials by itself. */
#include "session/hold.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/loop_clock.h"
#include "intercept/nft.h"
#include "intercept/nft_rules.h"
#include "intercept/steer_mark.h"
#include "net/nflog.h"
#include "session/session_private.h"
#include "shared/meeting.h"
#include "upstream/upstream.h"

/* Held packets, and connections that wait for their session: of all clients, and of one. */
#define HELD_MAX	1024
#define HELD_CLIENT_MAX 128

/* Of a connection that waits for its session: the client's answer may get lost twice. */
#define WAITING_S 5.
#define TIDY_S	  1.

/* So many in a row that no session took are more than clients that gave up: what is received again
 * does not arrive. */
#define LOST_MAX 8

/* Until it is tried again; each time twice as long. */
#define PAUSE_S	    30.
#define PAUSE_MAX_S 3600.

struct held_syn {
	struct hold *hold;
	struct held_syn *next;
	struct held_syn **link; /* what points here */
	const struct config *config;
	struct upstream_dial *dial;
	ev_tstamp began_s;
	bool left; /* in the meeting, with its share of descriptors */
	ev_timer deadline;
	struct syn_packet syn;
	uint8_t bytes[];
};

struct hold {
	struct session_env *env;
	struct held_syn *list;
	size_t held;
	struct mnl_socket *log;
	struct syn_socket socket;
	ev_io io;
	ev_timer tidy; /* runs while it is wanted */
	atomic_bool ready;
	int complained; /* of this -errno last */
	double pause_s;
	double paused_until_s;
	size_t lost; /* as of meeting_tidy(), when it was paused */
};

static void drop(void *item)
{
	struct early_dial *early = item;

	close(early->result.fd);
	descriptors_give(DESCRIPTORS_SESSION, 1);
	config_put(early->config);
	free(early);
}

struct meeting *hold_meeting(void)
{
	return meeting_open(drop);
}

static void hold_stop_reading(struct hold *hold)
{
	atomic_store(&hold->ready, false);
	if (!hold->log)
		return;
	ev_io_stop(hold->env->relay.loop, &hold->io);
	nflog_close(hold->log);
	syn_socket_close(&hold->socket);
	hold->log = NULL;
}

static void complain(struct hold *hold, const char *what, int err)
{
	if (hold->complained == err)
		return;
	hold->complained = err;
	log_info("connect-first: %s: %s; connections are accepted before they are dialled", what,
		 strerror(-err));
}

/* Where this host does not take its own packets, no more must be lost: the rules bring none for a
 * while, and what is lost comes again. */
static void hold_pause(struct hold *hold, const char *what, int err)
{
	complain(hold, what, err);
	hold->paused_until_s = clock_monotonic_s() + hold->pause_s;
	hold->pause_s = hold->pause_s < PAUSE_MAX_S / 2. ? 2. * hold->pause_s : PAUSE_MAX_S;
	atomic_store(&hold->ready, false);
}

static void admit(struct hold *hold, const struct syn_packet *syn)
{
	int err = nft_count_rules(INTERCEPT_TABLE_NAME, INTERCEPT_PREROUTING);

	/* No rule would take it, and the kernel would reset it. Routed or put back soon, the client
	 * says it again. */
	if (err == 0 || err == -ENOENT)
		return;
	err = syn_socket_admit(&hold->socket, syn);
	if (err && err != -ENOBUFS && err != -EAGAIN)
		hold_pause(hold, "cannot send by the loopback interface", err);
}

static void held_free(struct held_syn *held)
{
	struct hold *hold = held->hold;

	upstream_cancel(held->dial);
	ev_timer_stop(hold->env->relay.loop, &held->deadline);
	*held->link = held->next;
	if (held->next)
		held->next->link = held->link;
	hold->held--;
	if (!held->left)
		descriptors_give(DESCRIPTORS_SESSION, 1);
	config_put(held->config);
	free(held);
}

/* As it would be without hawserd: a closed port resets, a router says that there is no way, and
 * what does not answer does not answer. What only hawserd can do wrong is a reset, as ever. */
static void refuse(const struct held_syn *held, enum cause cause)
{
	const struct syn_socket *socket = &held->hold->socket;

	held->hold->env->stats.ended[cause]++;
	switch (cause) {
	case CAUSE_CONNECT_TIMEOUT:
	case CAUSE_EXIT_SILENT:
		break;
	case CAUSE_NETWORK_UNREACHABLE:
		syn_socket_unreachable(socket, &held->syn, SYN_NO_ROUTE);
		break;
	case CAUSE_HOST_UNREACHABLE:
		syn_socket_unreachable(socket, &held->syn, SYN_NO_HOST);
		break;
	case CAUSE_NOT_ALLOWED:
		syn_socket_unreachable(socket, &held->syn, SYN_PROHIBITED);
		break;
	default:
		syn_socket_reset(socket, &held->syn);
	}
}

/* Without memory its session dials again. */
static void held_connected(struct held_syn *held, const struct dial_result *result)
{
	struct early_dial *early = malloc(sizeof(*early));

	if (early) {
		*early = (struct early_dial){.result = *result,
					     .config = config_get(held->config),
					     .began_s = held->began_s};
		/* Of the client, which has not sent any yet. */
		early->result.first_sent = 0;
		held->left = true;
		meeting_leave(held->hold->env->dialled, &held->syn.from, &held->syn.to, early,
			      clock_monotonic_s() + WAITING_S);
	} else {
		close(result->fd);
	}
	admit(held->hold, &held->syn);
}

static void held_on_dial(void *context, enum dial_event event, const struct dial_result *result)
{
	struct held_syn *held = context;

	if (event == DIAL_CONNECTING)
		return;
	held->dial = NULL;
	if (event == DIAL_CONNECTED)
		held_connected(held, result);
	else
		refuse(held, result->cause);
	held_free(held);
}

static void held_on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct held_syn *held = timer->data;

	(void)loop;
	(void)events;
	refuse(held, CAUSE_CONNECT_TIMEOUT);
	held_free(held);
}

/* False when out of memory. */
static bool held_dial(struct held_syn *held)
{
	struct session_env *env = held->hold->env;
	const struct config *config = held->config;
	const struct syn_packet *syn = &held->syn;
	struct destination destination = {.address = syn->to, .port = address_port(&syn->to)};
	struct dial_request request = session_dial_request(env, config);

	request.destination = &destination;
	request.client = &syn->from;
	request.egress = session_lan_egress(config);
	request.plain = session_is_for_exit(config, &syn->to);
	request.transparent = true;
	held->dial = upstream_start(&request, config->exit_count > 0 && !request.plain, NULL, 0,
				    held_on_dial, held);
	return held->dial;
}

static bool hold_start(struct hold *hold, const struct syn_packet *syn)
{
	struct session_env *env = hold->env;
	struct held_syn *held = calloc(1, sizeof(*held) + syn->len);

	if (!held || !descriptors_take(DESCRIPTORS_SESSION, 1)) {
		free(held);
		return false;
	}
	held->hold = hold;
	held->began_s = loop_clock_s(env->relay.loop);
	held->config = config_get(env->config);
	memcpy(held->bytes, syn->bytes, syn->len);
	held->syn = *syn;
	held->syn.bytes = held->bytes;
	ev_timer_init(&held->deadline, held_on_deadline, held->config->timeouts.connect_s, 0.);
	held->deadline.data = held;
	ev_timer_start(env->relay.loop, &held->deadline);
	held->next = hold->list;
	held->link = &hold->list;
	if (held->next)
		held->next->link = &held->next;
	hold->list = held;
	hold->held++;
	if (held_dial(held))
		return true;
	held_free(held);
	return false;
}

static bool has_room(struct hold *hold, const struct syn_packet *syn)
{
	const uint32_t quarter = descriptors_max(DESCRIPTORS_SESSION) / 4;
	const size_t waiting = hold->held + meeting_count(hold->env->dialled);
	size_t of_client = 0;

	if (waiting >= (quarter < HELD_MAX ? quarter : HELD_MAX))
		return false;
	for (const struct held_syn *held = hold->list; held; held = held->next)
		of_client += address_same_ip(&held->syn.from, &syn->from);
	return of_client < HELD_CLIENT_MAX;
}

/* A client says it again when it is not answered. */
static bool is_held(const struct hold *hold, const struct syn_packet *syn)
{
	for (const struct held_syn *held = hold->list; held; held = held->next)
		if (address_port(&held->syn.from) == address_port(&syn->from) &&
		    address_port(&held->syn.to) == address_port(&syn->to) &&
		    address_same_ip(&held->syn.from, &syn->from) &&
		    address_same_ip(&held->syn.to, &syn->to))
			return true;
	return false;
}

static void hold_on_packet(void *context, uint8_t *packet, size_t len)
{
	struct hold *hold = context;
	struct session_env *env = hold->env;
	struct syn_packet syn;

	if (syn_packet_parse(&syn, packet, len) || is_held(hold, &syn))
		return;
	if (meeting_has(env->dialled, &syn.from, &syn.to) || !has_room(hold, &syn) ||
	    !session_can_hold(env, &syn.from, &syn.to) || !hold_start(hold, &syn))
		admit(hold, &syn);
}

static void hold_on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct hold *hold = io->data;

	(void)loop;
	(void)events;
	(void)nflog_read(hold->log, hold_on_packet, hold);
}

/* Another hawserd that ends may have the group still. */
static void hold_begin_reading(struct hold *hold)
{
	int err = syn_socket_open(&hold->socket, STEER_MARK);

	if (!err) {
		err = nflog_open(INTERCEPT_HOLD_GROUP, &hold->log);
		if (err)
			syn_socket_close(&hold->socket);
	}
	if (err) {
		complain(hold, "cannot see the packets of clients", err);
		return;
	}
	ev_io_init(&hold->io, hold_on_readable, nflog_fd(hold->log), EV_READ);
	hold->io.data = hold;
	ev_io_start(hold->env->relay.loop, &hold->io);
	atomic_store(&hold->ready, true);
	if (hold->complained)
		log_info("connect-first: first packets are held from now on");
	hold->complained = 0;
}

static void hold_on_tidy(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct hold *hold = timer->data;
	const double now = clock_monotonic_s();
	const size_t lost = meeting_tidy(hold->env->dialled, now);

	(void)loop;
	(void)events;
	hold->lost = hold->lost < lost ? hold->lost : lost;
	if (lost == 0)
		hold->pause_s = PAUSE_S;
	if (hold_is_ready(hold) && lost - hold->lost >= LOST_MAX) {
		hold->lost = lost;
		hold_pause(hold, "what is sent by the loopback interface does not arrive",
			   -ETIMEDOUT);
	} else if (hold->log && !hold_is_ready(hold) && now >= hold->paused_until_s) {
		atomic_store(&hold->ready, true);
	}
	if (!hold->log && hold->complained == -EBUSY)
		hold_begin_reading(hold);
}

struct hold *hold_open(struct session_env *env)
{
	struct hold *hold = calloc(1, sizeof(*hold));

	if (!hold)
		return NULL;
	hold->env = env;
	ev_timer_init(&hold->tidy, hold_on_tidy, 0., TIDY_S);
	hold->tidy.data = hold;
	return hold;
}

void hold_configure(struct hold *hold, bool wanted)
{
	if (wanted && !ev_is_active(&hold->tidy)) {
		hold->complained = 0;
		hold->pause_s = PAUSE_S;
		hold_begin_reading(hold);
		ev_timer_again(hold->env->relay.loop, &hold->tidy);
	} else if (!wanted) {
		ev_timer_stop(hold->env->relay.loop, &hold->tidy);
		hold_stop_reading(hold);
		for (struct held_syn *held = hold->list, *next; held; held = next) {
			next = held->next;
			held_free(held);
		}
	}
}

static void admit_packet(void *context, uint8_t *packet, size_t len)
{
	struct hold *hold = context;
	struct syn_packet syn;

	if (!syn_packet_parse(&syn, packet, len) && !is_held(hold, &syn))
		admit(hold, &syn);
}

void hold_admit_all(struct hold *hold)
{
	if (!hold->log)
		return;
	for (int i = 0; i < HELD_MAX && nflog_read(hold->log, admit_packet, hold); i++)
		;
	for (struct held_syn *held = hold->list, *next; held; held = next) {
		next = held->next;
		admit(hold, &held->syn);
		held_free(held);
	}
}

void hold_close(struct hold *hold)
{
	if (!hold)
		return;
	hold_configure(hold, false);
	free(hold);
}

bool hold_is_ready(const struct hold *hold)
{
	return atomic_load(&hold->ready);
}
