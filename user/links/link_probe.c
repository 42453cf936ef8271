/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Echo requests through each link, by a socket for each path. */
#include "links/link_probe.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "links/exit_reach.h"
#include "links/probe_verdict.h"
#include "net/icmp_echo.h"

#define IDLE_S 1.
/* While sessions move something over the link. */
#define BUSY_S 0.04
static const struct probe_patience patience = {.busy_s = 0.05, .idle_s = 1};
/* Beyond a neighbour in a mesh there are more queues, and routes change. */
static const struct probe_patience patience_beyond = {.busy_s = 0.25, .idle_s = 1};

/* To an exit that answers, by a way that is new. */
#define FRESH_S	  0.1
#define FRESH_MAX 20

#define PROBES_MAX ((size_t)LINKS_MAX * LINK_PROBES_MAX)

struct probe {
	struct link_probes *probes;
	int fd;
	ev_io io;
	ev_timer timer;
	uint32_t table; /* of the link */
	enum ip_family family;
	int device;
	union address address;
	union address target;
	bool beyond; /* a neighbour */
	uint16_t id;
	struct probe_verdict verdict;
};

struct link_probes {
	struct ev_loop *loop;
	struct link_news news;
	struct probe *probe[PROBES_MAX];    /* NULL: none */
	struct link_echoes past[LINKS_MAX]; /* of those that were closed, by link_slot() */
	bool refused;			    /* and said so */
	struct exit_reach *reach;
	union address exit[IP_FAMILIES]; /* without a port; AF_UNSPEC: none */
	bool exit_answers[IP_FAMILIES];	 /* it has, by any link */
	link_probes_changed_fn *changed;
	void *context;
};

static void send_request(struct probe *probe, double now)
{
	const struct icmp_echo echo = icmp_echo_request(probe->target.sa.sa_family, probe->id,
							probe_verdict_send(&probe->verdict, now));

	/* One that cannot be sent will have no answer. */
	(void)send(probe->fd, &echo, sizeof(echo), MSG_DONTWAIT);
}

/* Not known to carry anything yet. */
static bool is_fresh(const struct probe *probe)
{
	return probe->beyond && !probe->verdict.known && probe->verdict.sequence < FRESH_MAX &&
	       probe->probes->exit_answers[probe->family];
}

/* Returns whether it was fresh. */
static bool read_answers(struct probe *probe, double now)
{
	const bool was_fresh = is_fresh(probe);
	uint8_t bytes[128];
	uint16_t sequence;
	ssize_t len;

	while ((len = recv(probe->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		if (icmp_echo_is_answer(probe->target.sa.sa_family, bytes, (size_t)len, probe->id,
					&sequence))
			probe_verdict_take(&probe->verdict, sequence, now);
	if (probe->beyond && probe->verdict.known)
		probe->probes->exit_answers[probe->family] = true;
	return was_fresh;
}

static void set_timer(struct probe *probe, double now)
{
	probe->timer.repeat = probe_verdict_wait_s(&probe->verdict, IDLE_S, BUSY_S, now);
	if (is_fresh(probe) && probe->timer.repeat > FRESH_S)
		probe->timer.repeat = FRESH_S;
	ev_timer_again(probe->probes->loop, &probe->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct probe *probe = timer->data;
	struct link_probes *probes = probe->probes;
	const double now = clock_monotonic_s();
	/* What has come while this thread was busy counts. */
	const bool was_fresh = read_answers(probe, now);
	bool changed;

	(void)loop;
	(void)events;
	changed = probe_verdict_judge(&probe->verdict, probe->beyond ? &patience_beyond : &patience,
				      now);
	send_request(probe, now);
	set_timer(probe, now);
	if (changed || (was_fresh && !is_fresh(probe)))
		probes->changed(probes->context);
}

static void on_answer(struct ev_loop *loop, ev_io *io, int events)
{
	struct probe *probe = io->data;
	struct link_probes *probes = probe->probes;

	(void)loop;
	(void)events;
	if (read_answers(probe, clock_monotonic_s()) && !is_fresh(probe))
		probes->changed(probes->context);
}

static void on_news(struct ev_loop *loop, ev_async *async, int events)
{
	struct link_probes *probes = async->data;
	const struct link_signs signs = {.moving = atomic_exchange(&probes->news.moving, 0),
					 .alive = atomic_exchange(&probes->news.alive, 0),
					 .silent = atomic_exchange(&probes->news.silent, 0),
					 .overtaken = atomic_exchange(&probes->news.overtaken, 0)};
	const double now = clock_monotonic_s();

	(void)loop;
	(void)events;
	for (size_t i = 0; i < PROBES_MAX; i++) {
		struct probe *probe = probes->probe[i];
		bool was_busy;

		if (!probe)
			continue;
		was_busy = probe_verdict_is_busy(&probe->verdict, now);
		probe_verdict_sign(&probe->verdict, &signs, 1U << link_slot(probe->table), now);
		if (!was_busy && probe_verdict_is_busy(&probe->verdict, now) &&
		    !probe->verdict.out) {
			send_request(probe, now);
			set_timer(probe, now);
		}
	}
	exit_reach_sign(probes->reach, &signs);
}

static int open_socket(const struct probe *probe, const struct link *link)
{
	const union address *from = &probe->address;
	union address to = probe->target;
	const socklen_t len = address_length(&to);
	const int fd = icmp_socket(to.sa.sa_family, true);
	int err;

	if (fd < 0)
		return fd;
	if (to.sa.sa_family == AF_INET6)
		to.in6.sin6_scope_id =
			IN6_IS_ADDR_LINKLOCAL(&to.in6.sin6_addr) ? (uint32_t)probe->device : 0;
	/* A gateway of the other family is asked from whatever address the interface has for it. */
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, link->config.device,
		       (socklen_t)strlen(link->config.device)) == 0 &&
	    (from->sa.sa_family != to.sa.sa_family || bind(fd, &from->sa, len) == 0) &&
	    connect(fd, &to.sa, len) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void close_probe(struct probe *probe)
{
	struct ev_loop *loop = probe->probes->loop;
	struct link_echoes *past = &probe->probes->past[link_slot(probe->table)];

	past->requests += probe->verdict.requests;
	past->replies += probe->verdict.replies;
	ev_io_stop(loop, &probe->io);
	ev_timer_stop(loop, &probe->timer);
	close(probe->fd);
	free(probe);
}

static struct probe *open_probe(struct link_probes *probes, const struct link *link,
				enum ip_family family, const union address *target)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	ev_io *io;
	ev_timer *timer;

	if (!probe)
		return NULL;
	probe->probes = probes;
	probe->table = link->table;
	probe->family = family;
	probe->device = link->device;
	probe->address = link->paths[family].address;
	probe->target = *target;
	probe->beyond = link->from.bits > 0 && address_same_ip(target, &probes->exit[family]);
	randombytes_buf(&probe->id, sizeof(probe->id));
	probe->fd = open_socket(probe, link);
	if (probe->fd < 0) {
		if (!probes->refused)
			log_info("links: cannot send probes through %s: %s", link->config.name,
				 strerror(-probe->fd));
		probes->refused = true;
		free(probe);
		return NULL;
	}
	io = &probe->io;
	timer = &probe->timer;
	ev_io_init(io, on_answer, probe->fd, EV_READ);
	io->data = probe;
	ev_io_start(probes->loop, io);
	ev_timer_init(timer, on_timer, 0., IDLE_S);
	timer->data = probe;
	send_request(probe, clock_monotonic_s());
	set_timer(probe, clock_monotonic_s());
	return probe;
}

/* Fills in who is asked through this path, and returns how many. */
static size_t find_targets(const struct link_probes *probes, const struct link *link,
			   enum ip_family family, union address out[LINK_PROBES_MAX])
{
	const struct link_config *config = &link->config;
	size_t count = 0;

	/* One that rests is metered, and what nobody needs to know would cost. */
	if (!link->paths[family].works || config->no_probe || link->state == LINK_STATE_STANDBY)
		return 0;
	for (size_t i = 0; i < config->probe_count; i++)
		if (address_family(&config->probe[i]) == family)
			out[count++] = config->probe[i];
	/* Who has named some of the other family alone wants them to speak for both. */
	if (config->probe_count > 0 && link->paths[family == IP_V4 ? IP_V6 : IP_V4].works)
		return count;
	if (count == 0 && link->paths[family].gateway.sa.sa_family != AF_UNSPEC)
		out[count++] = link->paths[family].gateway;
	/* In a mesh a neighbour says nothing of who is beyond it, as the prefix's gateway. */
	if (link->from.bits > 0 && config->probe_count == 0 &&
	    probes->exit[family].sa.sa_family != AF_UNSPEC)
		out[count++] = probes->exit[family];
	return count;
}

static bool is_at(const struct probe *probe, const struct link *link, enum ip_family family)
{
	return probe && probe->table == link->table && probe->family == family;
}

static bool is_for(const struct probe *probe, const struct link *link, enum ip_family family)
{
	union address targets[LINK_PROBES_MAX];
	const size_t count = find_targets(probe->probes, link, family, targets);

	if (!is_at(probe, link, family) || probe->device != link->device ||
	    !address_same_ip(&probe->address, &link->paths[family].address))
		return false;
	for (size_t i = 0; i < count; i++)
		if (address_same_ip(&probe->target, &targets[i]))
			return true;
	return false;
}

static bool has_probe(const struct link_probes *probes, const struct link *link,
		      enum ip_family family, const union address *target)
{
	for (size_t i = 0; i < PROBES_MAX; i++)
		if (is_at(probes->probe[i], link, family) &&
		    address_same_ip(&probes->probe[i]->target, target))
			return true;
	return false;
}

static void follow_path(struct link_probes *probes, const struct link *link, enum ip_family family)
{
	union address targets[LINK_PROBES_MAX];
	const size_t count = find_targets(probes, link, family, targets);
	size_t place = 0;

	for (size_t i = 0; i < count; i++) {
		if (has_probe(probes, link, family, &targets[i]))
			continue;
		while (place < PROBES_MAX && probes->probe[place])
			place++;
		if (place < PROBES_MAX)
			probes->probe[place] = open_probe(probes, link, family, &targets[i]);
	}
}

void link_probes_follow(struct link_probes *probes, const struct link *links, size_t count)
{
	for (size_t i = 0; i < PROBES_MAX; i++) {
		bool keep = false;

		if (!probes->probe[i])
			continue;
		for (size_t j = 0; j < count * IP_FAMILIES && !keep; j++)
			keep = is_for(probes->probe[i], &links[j / IP_FAMILIES],
				      (enum ip_family)(j % IP_FAMILIES));
		if (keep) {
			/* Before anybody judges. */
			(void)read_answers(probes->probe[i], clock_monotonic_s());
			continue;
		}
		close_probe(probes->probe[i]);
		probes->probe[i] = NULL;
	}
	for (size_t i = 0; i < count; i++)
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			follow_path(probes, &links[i], family);
	exit_reach_follow(probes->reach, links, count);
}

/* Who has ever answered through a path, how many of them do not any more, and how many more may be
 * about to. */
struct answers {
	size_t known;
	size_t out;
	size_t doubtful;
};

static struct answers count_at(const struct link_probes *probes, const struct link *link,
			       enum ip_family family)
{
	const double now = clock_monotonic_s();
	struct answers answers = {0};

	for (size_t i = 0; i < PROBES_MAX; i++) {
		const struct probe *probe = probes->probe[i];

		if (!is_at(probe, link, family) || !probe->verdict.known)
			continue;
		answers.known++;
		if (probe->verdict.out)
			answers.out++;
		else
			answers.doubtful += probe_verdict_is_in_doubt(&probe->verdict, now);
	}
	return answers;
}

/* One that has never got an answer shares the fate of the link's other family. */
static struct answers count_answers(const struct link_probes *probes, const struct link *link,
				    enum ip_family family)
{
	const struct answers answers = count_at(probes, link, family);

	return answers.known > 0 ? answers
				 : count_at(probes, link, family == IP_V4 ? IP_V6 : IP_V4);
}

/* Of a mesh, neighbour and exit have to answer. */
static bool are_enough(const struct link *link, const struct answers *answers, size_t answering)
{
	const size_t quorum = link->config.probe_quorum ? link->config.probe_quorum : 1;

	return answering >=
	       (quorum < answers->known && link->from.bits == 0 ? quorum : answers->known);
}

bool link_probes_silent(const struct link_probes *probes, const struct link *link,
			enum ip_family family)
{
	const struct answers answers = count_answers(probes, link, family);

	return !are_enough(link, &answers, answers.known - answers.out) ||
	       exit_reach_silent(probes->reach, link, family);
}

bool link_probes_in_doubt(const struct link_probes *probes, const struct link *link,
			  enum ip_family family)
{
	const struct answers answers = count_answers(probes, link, family);

	return !are_enough(link, &answers, answers.known - answers.out - answers.doubtful);
}

bool link_probes_heard(const struct link_probes *probes, const struct link *link,
		       enum ip_family family)
{
	for (size_t i = 0; i < PROBES_MAX; i++)
		if (is_at(probes->probe[i], link, family) && is_fresh(probes->probe[i]))
			return false;
	return true;
}

double link_probes_exit_s(const struct link_probes *probes, const struct link *link,
			  enum ip_family family)
{
	for (size_t i = 0; i < PROBES_MAX; i++) {
		const struct probe *probe = probes->probe[i];

		if (is_at(probe, link, family) && probe->beyond && probe->verdict.known &&
		    !probe->verdict.out)
			return probe->verdict.rtt_s;
	}
	return 0;
}

uint32_t link_probes_echo_us(const struct link_probes *probes, const struct link *link)
{
	for (enum ip_family family = 0; family < IP_FAMILIES; family++)
		for (size_t i = 0; i < PROBES_MAX; i++)
			if (is_at(probes->probe[i], link, family) &&
			    probes->probe[i]->verdict.known)
				return (uint32_t)(probes->probe[i]->verdict.last_rtt_s * 1e6);
	return 0;
}

uint32_t link_probes_take_doubts(struct link_probes *probes)
{
	return exit_reach_take_doubts(probes->reach);
}

struct link_echoes link_probes_echoes(const struct link_probes *probes, const struct link *link)
{
	struct link_echoes sum = probes->past[link_slot(link->table)];

	for (size_t i = 0; i < PROBES_MAX; i++) {
		const struct probe *probe = probes->probe[i];

		if (!probe || probe->table != link->table)
			continue;
		sum.requests += probe->verdict.requests;
		sum.replies += probe->verdict.replies;
	}
	sum.rtt_us = link_probes_echo_us(probes, link);
	return sum;
}

void link_probes_target(struct link_probes *probes, const struct exit_target *targets, size_t count,
			double idle_s)
{
	union address exits[IP_FAMILIES] = {0};

	for (size_t i = count; i-- > 0;) {
		union address *exit = &exits[address_family(&targets[i].address)];

		*exit = targets[i].address;
		address_set_port(exit, 0);
	}
	for (enum ip_family family = 0; family < IP_FAMILIES; family++)
		if (!address_same_ip(&exits[family], &probes->exit[family]))
			probes->exit_answers[family] = false;
	memcpy(probes->exit, exits, sizeof(probes->exit));
	exit_reach_target(probes->reach, targets, count, idle_s);
}

struct link_news *link_probes_news(struct link_probes *probes)
{
	return &probes->news;
}

struct link_probes *link_probes_open(struct ev_loop *loop, link_probes_changed_fn *changed,
				     void *context)
{
	struct link_probes *probes = calloc(1, sizeof(*probes));
	ev_async *async;

	if (!probes)
		return NULL;
	probes->loop = probes->news.loop = loop;
	probes->changed = changed;
	probes->context = context;
	probes->reach = exit_reach_open(loop, changed, context);
	if (!probes->reach) {
		free(probes);
		return NULL;
	}
	async = &probes->news.async;
	ev_async_init(async, on_news);
	async->data = probes;
	ev_async_start(loop, async);
	return probes;
}

void link_probes_close(struct link_probes *probes)
{
	if (!probes)
		return;
	link_probes_follow(probes, NULL, 0);
	exit_reach_close(probes->reach);
	ev_async_stop(probes->loop, &probes->news.async);
	free(probes);
}
