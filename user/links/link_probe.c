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

#include "base/log.h"
#include "net/icmp_echo.h"

#define IDLE_S 1.
/* While sessions move something over the link. */
#define BUSY_S 0.04
/* After one request had no answer, and while the link is out. */
#define DOUBT_S 0.25
#define OUT_S	0.5
/* How long a sign from the sessions holds; they are given every 0.04 s. */
#define SIGN_S	0.15
#define MOVED_S 1.
/* So many requests in a row, and for so long beyond the round-trip time. */
#define LOST_MIN    3
#define LATE_BUSY_S 0.05
#define LATE_IDLE_S 1.
/* Answers in a row for the return: twice as many if it was out less than BRIEF_S ago. */
#define ANSWERS_MIN 4
#define ANSWERS_MAX 64
#define BRIEF_S	    60.

#define PROBES_MAX ((size_t)LINKS_MAX * IP_FAMILIES)

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
	uint16_t id;
	uint16_t sequence; /* of the last request */
	bool known;	   /* it has answered before */
	bool out;
	unsigned int lost;    /* requests since the last that was answered */
	ev_tstamp lost_since; /* when the first of them was sent */
	double rtt_s;	      /* the longest of late */
	double last_rtt_s;    /* of the last that was answered */
	unsigned int answers; /* in a row, while it is out */
	unsigned int needed;  /* of them */
	ev_tstamp returned;
	ev_tstamp moving, alive, silent; /* when sessions said so */
	/* When which was sent, by the lowest bits of the sequence number. */
	ev_tstamp sent[256];
};

struct link_probes {
	struct ev_loop *loop;
	struct link_news news;
	struct probe *probe[PROBES_MAX]; /* NULL: none */
	bool refused;			 /* and said so */
	link_probes_changed_fn *changed;
	void *context;
};

static void send_request(struct probe *probe, ev_tstamp now)
{
	const struct icmp_echo echo =
		icmp_echo_request(probe->target.sa.sa_family, probe->id, ++probe->sequence);

	probe->sent[probe->sequence % 256] = now;
	if (probe->lost++ == 0)
		probe->lost_since = now;
	/* One that cannot be sent will have no answer. */
	(void)send(probe->fd, &echo, sizeof(echo), MSG_DONTWAIT);
}

static void take_answer(struct probe *probe, uint16_t sequence, ev_tstamp now)
{
	const uint16_t age = (uint16_t)(probe->sequence - sequence);
	double rtt_s;

	if (age >= 256)
		return;
	rtt_s = now - probe->sent[sequence % 256];
	probe->known = true;
	probe->last_rtt_s = rtt_s;
	probe->rtt_s = rtt_s > probe->rtt_s ? rtt_s : probe->rtt_s + (rtt_s - probe->rtt_s) / 16;
	if (age >= probe->lost)
		return; /* overtaken by the answer to a later one */
	probe->lost = age;
	if (age > 0)
		probe->lost_since = probe->sent[(sequence + 1) % 256];
	probe->answers++;
}

static void read_answers(struct probe *probe, ev_tstamp now)
{
	uint8_t bytes[128];
	uint16_t sequence;
	ssize_t len;

	while ((len = recv(probe->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		if (icmp_echo_is_answer(probe->target.sa.sa_family, bytes, (size_t)len, probe->id,
					&sequence))
			take_answer(probe, sequence, now);
}

static bool is_busy(const struct probe *probe, ev_tstamp now)
{
	return now - probe->moving < MOVED_S;
}

static bool is_lost(const struct probe *probe, ev_tstamp now)
{
	const double waited_s = now - probe->lost_since;

	if (!probe->known || probe->lost < LOST_MIN || now - probe->alive < SIGN_S / 2)
		return false;
	if (now - probe->silent < SIGN_S && waited_s > probe->rtt_s * 1.25 + LATE_BUSY_S)
		return true;
	return waited_s > probe->rtt_s * 2 + LATE_IDLE_S;
}

/* Whether the verdict has changed. */
static bool judge(struct probe *probe, ev_tstamp now)
{
	if (!probe->out) {
		if (!is_lost(probe, now))
			return false;
		probe->out = true;
		probe->answers = 0;
		if (probe->returned == 0. || now - probe->returned > BRIEF_S)
			probe->needed = ANSWERS_MIN;
		else if (probe->needed < ANSWERS_MAX)
			probe->needed *= 2;
		return true;
	}
	if (probe->lost > 1 && now - probe->lost_since > probe->rtt_s * 2 + OUT_S)
		probe->answers = 0;
	if (probe->answers < probe->needed)
		return false;
	probe->out = false;
	probe->returned = now;
	return true;
}

static void set_timer(struct probe *probe, ev_tstamp now)
{
	double interval_s = IDLE_S;

	if (probe->out)
		interval_s = OUT_S;
	else if (is_busy(probe, now))
		interval_s = BUSY_S;
	else if (probe->known && probe->lost > 1)
		interval_s = DOUBT_S;
	probe->timer.repeat = interval_s;
	ev_timer_again(probe->probes->loop, &probe->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct probe *probe = timer->data;
	struct link_probes *probes = probe->probes;
	const ev_tstamp now = ev_now(loop);
	bool changed;

	(void)events;
	/* What has come while this thread was busy counts. */
	read_answers(probe, now);
	changed = judge(probe, now);
	send_request(probe, now);
	set_timer(probe, now);
	if (changed)
		probes->changed(probes->context);
}

static void on_answer(struct ev_loop *loop, ev_io *io, int events)
{
	(void)events;
	read_answers(io->data, ev_now(loop));
}

static void on_news(struct ev_loop *loop, ev_async *async, int events)
{
	struct link_probes *probes = async->data;
	const uint32_t moving = atomic_exchange(&probes->news.moving, 0);
	const uint32_t alive = atomic_exchange(&probes->news.alive, 0);
	const uint32_t silent = atomic_exchange(&probes->news.silent, 0);
	const ev_tstamp now = ev_now(loop);

	(void)events;
	for (size_t i = 0; i < PROBES_MAX; i++) {
		struct probe *probe = probes->probe[i];
		uint32_t bit;
		bool was_busy;

		if (!probe)
			continue;
		bit = 1U << link_slot(probe->table);
		was_busy = is_busy(probe, now);
		probe->moving = moving & bit ? now : probe->moving;
		probe->alive = alive & bit ? now : probe->alive;
		probe->silent = silent & bit ? now : probe->silent;
		if (!was_busy && is_busy(probe, now) && !probe->out) {
			send_request(probe, now);
			set_timer(probe, now);
		}
	}
}

static int open_socket(const struct probe *probe, const struct link *link)
{
	const union address *from = &probe->address;
	union address to = probe->target;
	const socklen_t len = address_length(&to);
	const int fd = icmp_echo_socket(to.sa.sa_family);
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
	probe->id = (uint16_t)randombytes_random();
	probe->fd = open_socket(probe, link);
	if (probe->fd < 0) {
		if (!probes->refused)
			log_info("links: no probes through %s: %s", link->config.name,
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
	send_request(probe, ev_now(probes->loop));
	set_timer(probe, ev_now(probes->loop));
	return probe;
}

/* NULL: nobody is asked through this path. */
static const union address *find_target(const struct link *link, enum ip_family family)
{
	const union address *target = &link->config.probe[family];

	/* One that rests is metered, and what nobody needs to know would cost. */
	if (!link->paths[family].works || link->config.no_probe ||
	    link->state == LINK_STATE_STANDBY)
		return NULL;
	if (target->sa.sa_family == AF_UNSPEC)
		target = &link->paths[family].gateway;
	return target->sa.sa_family == AF_UNSPEC ? NULL : target;
}

static bool is_for(const struct probe *probe, const struct link *link, enum ip_family family)
{
	const union address *target = find_target(link, family);

	return target && probe->table == link->table && probe->family == family &&
	       probe->device == link->device && address_same_ip(&probe->target, target) &&
	       address_same_ip(&probe->address, &link->paths[family].address);
}

static const struct probe *find_probe(const struct link_probes *probes, const struct link *link,
				      enum ip_family family)
{
	for (size_t i = 0; i < PROBES_MAX; i++)
		if (probes->probe[i] && probes->probe[i]->table == link->table &&
		    probes->probe[i]->family == family)
			return probes->probe[i];
	return NULL;
}

static void follow_path(struct link_probes *probes, const struct link *link, enum ip_family family)
{
	const union address *target = find_target(link, family);
	size_t place = 0;

	if (!target || find_probe(probes, link, family))
		return;
	while (probes->probe[place])
		place++;
	probes->probe[place] = open_probe(probes, link, family, target);
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
		if (keep)
			continue;
		close_probe(probes->probe[i]);
		probes->probe[i] = NULL;
	}
	for (size_t i = 0; i < count; i++)
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			follow_path(probes, &links[i], family);
}

bool link_probes_silent(const struct link_probes *probes, const struct link *link,
			enum ip_family family)
{
	const struct probe *probe = find_probe(probes, link, family);

	if (!probe || !probe->known)
		probe = find_probe(probes, link, family == IP_V4 ? IP_V6 : IP_V4);
	return probe && probe->out;
}

uint32_t link_probes_echo_us(const struct link_probes *probes, const struct link *link)
{
	const struct probe *probe = find_probe(probes, link, IP_V4);

	if (!probe || !probe->known)
		probe = find_probe(probes, link, IP_V6);
	return probe ? (uint32_t)(probe->last_rtt_s * 1e6) : 0;
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
	ev_async_stop(probes->loop, &probes->news.async);
	free(probes);
}
