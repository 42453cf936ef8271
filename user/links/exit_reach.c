/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether each link reaches the exits, by a TCP handshake: echo requests may be filtered on the
 * way, and what sessions want is to connect. */
#include "links/exit_reach.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "links/link_connect.h"
#include "links/link_news.h"
#include "links/probe_verdict.h"
#include "net/socket.h"

/* Between requests while the last has no answer: doubles from the first to the second. */
#define DOUBT_MIN_S 0.25
#define DOUBT_MAX_S 1.
/* Nobody reaches the exit: more tell nothing. */
#define LOST_MAX 8
/* While the path is out. */
#define OUT_S 1.
/* By a sign of sessions no request is sent sooner after the last. */
#define SIGN_MIN_S 1.
/* An address of an exit that has not answered anybody for so long makes room for another. */
#define STALE_S 60.
/* The same, if it never has. */
#define NEVER_S 5.
/* Requests on their way: as many as fit into the longest patience. */
#define TRIES_MAX 6

/* A full queue in a modem makes an answer late by seconds. Nobody waits for the verdict: dials try
 * another link meanwhile. */
#define LATE_BUSY_S 1.
#define LATE_IDLE_S 3.

struct probe;

struct attempt {
	struct probe *probe;
	ev_io io; /* fd -1: none */
	uint16_t sequence;
};

struct probe {
	struct exit_reach *reach;
	struct probe *next;
	uint32_t table; /* of the link */
	int device;
	char device_name[IF_NAMESIZE];
	union address address;
	struct exit_target target;
	struct probe_verdict verdict;
	struct attempt attempts[TRIES_MAX];
	ev_timer timer;
};

struct known_target {
	struct exit_target target;
	double answered; /* by any link, or first told of */
};

struct exit_reach {
	struct ev_loop *loop;
	double idle_s;
	struct known_target targets[EXIT_TARGETS_MAX];
	size_t target_count;
	uint32_t doubts; /* by link_slot() */
	struct probe *probes;
	void (*changed)(void *context);
	void *context;
};

static void send_request(struct probe *probe, double now);

static void close_attempt(struct attempt *attempt)
{
	if (attempt->io.fd < 0)
		return;
	ev_io_stop(attempt->probe->reach->loop, &attempt->io);
	close(attempt->io.fd);
	attempt->io.fd = -1;
}

static void set_timer(struct probe *probe)
{
	const struct probe_verdict *verdict = &probe->verdict;
	double wait_s = probe->reach->idle_s;

	if (verdict->out) {
		wait_s = OUT_S;
	} else if (verdict->lost > 0 && verdict->lost <= LOST_MAX) {
		wait_s = DOUBT_MIN_S + verdict->rtt_s;
		for (unsigned int i = 1; i < verdict->lost && wait_s < DOUBT_MAX_S; i++)
			wait_s *= 2;
		wait_s = wait_s < DOUBT_MAX_S ? wait_s : DOUBT_MAX_S;
	}
	probe->timer.repeat = wait_s;
	ev_timer_again(probe->reach->loop, &probe->timer);
}

/* Another link's, at the same exit. */
static bool is_sibling(const struct probe *a, const struct probe *b)
{
	return a->table != b->table && a->target.exit == b->target.exit;
}

/* Whether another link has reached the exit since this one began not to. */
static bool is_reached_otherwise(const struct probe *probe)
{
	for (const struct probe *other = probe->reach->probes; other; other = other->next)
		if (is_sibling(probe, other) && !other->verdict.out &&
		    other->verdict.answered > 0 &&
		    other->verdict.answered >= probe->verdict.lost_since)
			return true;
	return false;
}

/* The exit, which nobody reached, is there again: each link has its chance. */
static void forgive_siblings(const struct probe *probe)
{
	for (struct probe *other = probe->reach->probes; other; other = other->next)
		if (is_sibling(probe, other) && !other->verdict.out)
			other->verdict.lost = 0;
}

static void take_answer(struct probe *probe, uint16_t sequence, double now)
{
	struct exit_reach *reach = probe->reach;

	if (probe->verdict.lost > 2 && !is_reached_otherwise(probe))
		forgive_siblings(probe);
	probe_verdict_take(&probe->verdict, sequence, now);
	for (size_t i = 0; i < TRIES_MAX; i++)
		close_attempt(&probe->attempts[i]);
	for (size_t i = 0; i < reach->target_count; i++)
		if (reach->targets[i].target.exit == probe->target.exit &&
		    address_same_ip(&reach->targets[i].target.address, &probe->target.address))
			reach->targets[i].answered = now;
	set_timer(probe);
}

static void on_writable(struct ev_loop *loop, ev_io *io, int events)
{
	struct attempt *attempt = io->data;
	const int error = socket_error(io->fd);

	(void)loop;
	(void)events;
	close_attempt(attempt);
	if (error)
		attempt->probe->reach->doubts |= 1U << link_slot(attempt->probe->table);
	/* A refusal comes from there, too; whether the exit works is not asked here. */
	if (error == 0 || error == ECONNREFUSED || error == ECONNRESET)
		take_answer(attempt->probe, attempt->sequence, clock_monotonic_s());
}

static struct attempt *choose_attempt(struct probe *probe)
{
	struct attempt *oldest = &probe->attempts[0];

	for (size_t i = 0; i < TRIES_MAX; i++) {
		struct attempt *attempt = &probe->attempts[i];

		if (attempt->io.fd < 0)
			return attempt;
		if ((int16_t)(attempt->sequence - oldest->sequence) < 0)
			oldest = attempt;
	}
	close_attempt(oldest);
	return oldest;
}

static void send_request(struct probe *probe, double now)
{
	struct attempt *attempt = choose_attempt(probe);
	ev_io *io = &attempt->io;
	const int fd = link_connect(probe->device_name, &probe->address, &probe->target.address);

	attempt->sequence = probe_verdict_send(&probe->verdict, now);
	if (fd >= 0) {
		ev_io_init(io, on_writable, fd, EV_WRITE);
		io->data = attempt;
		ev_io_start(probe->reach->loop, io);
	}
	set_timer(probe);
}

/* By their answers it is judged. */
static void ask_siblings(const struct probe *probe, double now)
{
	for (struct probe *other = probe->reach->probes; other; other = other->next)
		if (is_sibling(probe, other) && other->verdict.lost == 0 &&
		    other->verdict.answered < probe->verdict.lost_since)
			send_request(other, now);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct probe *probe = timer->data;
	struct exit_reach *reach = probe->reach;
	const double now = clock_monotonic_s();
	const bool fair = probe->verdict.out || is_reached_otherwise(probe);
	const struct probe_patience patience = {
		.busy_s = LATE_BUSY_S, .idle_s = LATE_IDLE_S, .strict = true};
	bool changed;

	(void)loop;
	(void)events;
	changed = fair && probe_verdict_judge(&probe->verdict, &patience, now);
	send_request(probe, now);
	if (probe->verdict.lost > 1)
		reach->doubts |= 1U << link_slot(probe->table);
	if (!probe->verdict.out && probe->verdict.lost > 1)
		ask_siblings(probe, now);
	if (changed)
		reach->changed(reach->context);
}

void exit_reach_sign(struct exit_reach *reach, const struct link_signs *signs)
{
	const double now = clock_monotonic_s();

	for (struct probe *probe = reach->probes; probe; probe = probe->next) {
		struct probe_verdict *verdict = &probe->verdict;
		const uint32_t bit = 1U << link_slot(probe->table);

		probe_verdict_sign(verdict, signs, bit, now);
		if ((signs->overtaken | signs->silent) & bit && verdict->lost == 0 &&
		    now - verdict->sent[verdict->sequence % PROBE_RING] > SIGN_MIN_S)
			send_request(probe, now);
	}
}

static void close_probe(struct probe *probe)
{
	ev_timer_stop(probe->reach->loop, &probe->timer);
	for (size_t i = 0; i < TRIES_MAX; i++)
		close_attempt(&probe->attempts[i]);
	free(probe);
}

static void open_probe(struct exit_reach *reach, const struct link *link, enum ip_family family,
		       const struct exit_target *target)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return;
	probe->reach = reach;
	probe->table = link->table;
	probe->device = link->device;
	memcpy(probe->device_name, link->config.device, sizeof(probe->device_name));
	probe->address = link->paths[family].address;
	probe->target = *target;
	for (size_t i = 0; i < TRIES_MAX; i++) {
		probe->attempts[i].probe = probe;
		probe->attempts[i].io.fd = -1;
	}
	ev_timer_init(&probe->timer, on_timer, 0., 0.);
	probe->timer.data = probe;
	probe->next = reach->probes;
	reach->probes = probe;
	send_request(probe, clock_monotonic_s());
}

static bool asks(const struct link *link, const struct exit_target *target)
{
	return link->paths[address_family(&target->address)].works && !link->config.no_probe &&
	       link->config.probe_count == 0 && link->state != LINK_STATE_STANDBY;
}

static bool is_for(const struct probe *probe, const struct link *link,
		   const struct exit_target *target)
{
	return probe->table == link->table && probe->device == link->device &&
	       probe->target.exit == target->exit &&
	       address_same_ip(&probe->target.address, &target->address) &&
	       address_port(&probe->target.address) == address_port(&target->address) &&
	       address_same_ip(&probe->address,
			       &link->paths[address_family(&target->address)].address);
}

/* Those of before that are wanted stay, with what is known by them. */
void exit_reach_follow(struct exit_reach *reach, const struct link *links, size_t count)
{
	struct probe *before = reach->probes;

	reach->probes = NULL;
	for (size_t i = 0; i < count * reach->target_count; i++) {
		const struct link *link = &links[i / reach->target_count];
		const struct exit_target *target = &reach->targets[i % reach->target_count].target;
		struct probe **at = &before;
		struct probe *kept;

		if (!asks(link, target))
			continue;
		while (*at && !is_for(*at, link, target))
			at = &(*at)->next;
		kept = *at;
		if (!kept) {
			open_probe(reach, link, address_family(&target->address), target);
			continue;
		}
		*at = kept->next;
		kept->next = reach->probes;
		reach->probes = kept;
	}
	while (before) {
		struct probe *gone = before;

		before = gone->next;
		close_probe(gone);
	}
}

static bool same_target(const struct exit_target *a, const struct exit_target *b)
{
	return a->exit == b->exit && address_same_ip(&a->address, &b->address) &&
	       address_port(&a->address) == address_port(&b->address);
}

/* What is known of this exit's family, unless it has been silent for long. */
static struct known_target choose_target(const struct exit_reach *reach,
					 const struct exit_target *target, double now)
{
	for (size_t i = 0; i < reach->target_count; i++) {
		const struct known_target *known = &reach->targets[i];

		if (same_target(&known->target, target) ||
		    (known->target.exit == target->exit && now - known->answered < STALE_S &&
		     address_family(&known->target.address) == address_family(&target->address)))
			return *known;
	}
	return (struct known_target){.target = *target, .answered = now - STALE_S + NEVER_S};
}

void exit_reach_target(struct exit_reach *reach, const struct exit_target *targets, size_t count,
		       double idle_s)
{
	struct known_target chosen[EXIT_TARGETS_MAX];
	bool changed = count != reach->target_count;

	for (size_t i = 0; i < count; i++) {
		chosen[i] = choose_target(reach, &targets[i], clock_monotonic_s());
		changed = changed || !same_target(&chosen[i].target, &reach->targets[i].target);
	}
	reach->idle_s = idle_s;
	memcpy(reach->targets, chosen, count * sizeof(chosen[0]));
	reach->target_count = count;
	if (changed)
		reach->changed(reach->context);
}

uint32_t exit_reach_take_doubts(struct exit_reach *reach)
{
	const uint32_t doubts = reach->doubts;

	reach->doubts = 0;
	return doubts;
}

bool exit_reach_silent(const struct exit_reach *reach, const struct link *link,
		       enum ip_family family)
{
	bool asked[IP_FAMILIES] = {false};
	bool reached[IP_FAMILIES] = {false};

	for (const struct probe *probe = reach->probes; probe; probe = probe->next) {
		const enum ip_family its = address_family(&probe->address);

		if (probe->table != link->table)
			continue;
		asked[its] = true;
		reached[its] = reached[its] || !probe->verdict.out;
	}
	if (!asked[family])
		family = family == IP_V4 ? IP_V6 : IP_V4;
	return asked[family] && !reached[family];
}

struct exit_reach *exit_reach_open(struct ev_loop *loop, void (*changed)(void *context),
				   void *context)
{
	struct exit_reach *reach = calloc(1, sizeof(*reach));

	if (!reach)
		return NULL;
	reach->loop = loop;
	reach->changed = changed;
	reach->context = context;
	return reach;
}

void exit_reach_close(struct exit_reach *reach)
{
	if (!reach)
		return;
	exit_reach_follow(reach, NULL, 0);
	free(reach);
}
