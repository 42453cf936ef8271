/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions for the addresses of names, each in a c-ares channel of its own. */
#include "names/name_query.h"

#include <ares.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "base/log_seldom.h"
#include "base/write_pause.h"
#include "names/name_servers.h"

/* Idle channels that are kept: of c-ares 1.18 each has 73 KB. */
#define IDLE_MAX 8

/* A socket of c-ares'. */
struct ares_io {
	ev_io io;
	struct write_pause pause; /* of all that it is waited for */
	struct name_query *query;
	struct ares_io *next;
};

struct name_asker {
	struct ev_loop *loop;
	struct name_servers *servers;
	unsigned int reading;	 /* of resolv.conf: the last one */
	struct stat resolv_conf; /* as it was then */
	struct log_seldom told;	 /* that it could not be read */
	struct name_query *idle;
	size_t idle_count;
};

struct name_query {
	struct name_asker *asker;
	struct name_query *next_idle;
	unsigned int reading; /* that its channel is made of */
	ares_channel channel;
	ev_timer timer; /* of c-ares, or, once answered, to say so from the loop */
	struct ares_io *ios;
	struct name_servers_way way;
	name_query_fn *done;
	void *context;
	enum cause cause;
	bool answered;
	union address addresses[NAME_ADDRESSES_MAX];
	size_t count;
};

/* After each call into c-ares: when does it want to be called at the latest? */
static void arm(struct name_query *query)
{
	struct timeval buffer;
	struct timeval *wait;

	ev_timer_stop(query->asker->loop, &query->timer);
	if (query->answered) {
		ev_timer_set(&query->timer, 0., 0.);
		ev_timer_start(query->asker->loop, &query->timer);
		return;
	}
	wait = ares_timeout(query->channel, NULL, &buffer);
	if (!wait)
		return;
	ev_timer_set(&query->timer, (double)wait->tv_sec + (double)wait->tv_usec / 1e6, 0.);
	ev_timer_start(query->asker->loop, &query->timer);
}

static void query_free(struct name_query *query)
{
	ares_destroy(query->channel);
	free(query);
}

/* To make a channel takes c-ares as long as to ask a near name server, so it is used again. */
static void put_idle(struct name_query *query)
{
	struct name_asker *asker = query->asker;

	ev_timer_stop(asker->loop, &query->timer);
	if (query->reading != asker->reading || asker->idle_count == IDLE_MAX) {
		query_free(query);
		return;
	}
	query->next_idle = asker->idle;
	asker->idle = query;
	asker->idle_count++;
}

static struct name_query *take_idle(struct name_asker *asker)
{
	struct name_query *query = asker->idle;

	if (!query)
		return NULL;
	asker->idle = query->next_idle;
	asker->idle_count--;
	return query;
}

static void free_idle(struct name_asker *asker)
{
	struct name_query *query;

	while ((query = take_idle(asker)))
		query_free(query);
}

void name_query_cancel(struct name_query *query)
{
	if (!query->answered)
		ares_cancel(query->channel); /* closes its sockets, so the ios go with it */
	put_idle(query);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct name_query *query = timer->data;

	(void)loop;
	(void)events;
	if (!query->answered) {
		ares_process_fd(query->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		arm(query);
		return;
	}
	query->done(query->context, query->cause, query->addresses, query->count);
	put_idle(query);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct ares_io *socket = timer->data;

	(void)events;
	ev_io_start(loop, &socket->io);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct ares_io *socket = (struct ares_io *)io;
	struct name_query *query = socket->query;

	/* Unless c-ares says otherwise, in what follows. */
	if (events & EV_WRITE)
		write_pause_tried(&socket->pause, loop, false);
	if (write_pause_holds(&socket->pause))
		ev_io_stop(loop, io);
	ares_process_fd(query->channel, events & EV_READ ? io->fd : ARES_SOCKET_BAD,
			events & EV_WRITE ? io->fd : ARES_SOCKET_BAD);
	arm(query);
}

static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct name_query *query = data;
	struct ares_io **at = &query->ios;
	struct ares_io *found;

	while (*at && (*at)->io.fd != fd)
		at = &(*at)->next;
	found = *at;
	if (found) {
		ev_io_stop(query->asker->loop, &found->io);
		write_pause_stop(&found->pause, query->asker->loop);
	}
	if (!readable && !writable) {
		if (found) {
			*at = found->next;
			free(found);
		}
		return;
	}
	if (!found) {
		found = calloc(1, sizeof(*found));
		if (!found)
			return; /* the query runs into its timeout */
		found->query = query;
		write_pause_init(&found->pause, on_pause_over, found);
		found->next = query->ios;
		query->ios = found;
	}
	ev_io_init(&found->io, on_io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	ev_io_start(query->asker->loop, &found->io);
}

static enum cause cause_from_ares(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return CAUSE_NONE;
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
	case ARES_ENONAME:
	case ARES_EBADNAME:
		return CAUSE_NAME_NOT_FOUND;
	case ARES_ENOMEM:
		return CAUSE_RESOURCES;
	default:
		return CAUSE_RESOLVE_FAILED;
	}
}

/* c-ares is still at work in the channel, which cannot go now. */
static void on_answer(void *data, int status, int timeouts, struct ares_addrinfo *info)
{
	struct name_query *query = data;

	(void)timeouts;
	for (struct ares_addrinfo_node *node = info ? info->nodes : NULL;
	     node && query->count < NAME_ADDRESSES_MAX; node = node->ai_next) {
		const union address *address = (const void *)node->ai_addr;
		union address *out = &query->addresses[query->count];

		if (node->ai_family == AF_INET)
			address_from_bytes(out, AF_INET, &address->in4.sin_addr, 0);
		else if (node->ai_family == AF_INET6)
			address_from_bytes(out, AF_INET6, &address->in6.sin6_addr, 0);
		else
			continue;
		query->count++;
	}
	if (info)
		ares_freeaddrinfo(info);
	query->cause = cause_from_ares(status);
	if (query->cause == CAUSE_NONE && query->count == 0)
		query->cause = CAUSE_NAME_NOT_FOUND;
	query->answered = true;
}

static struct name_query *query_new(struct name_asker *asker)
{
	struct name_query *query = calloc(1, sizeof(*query));

	if (!query)
		return NULL;
	query->asker = asker;
	query->reading = asker->reading;
	ev_init(&query->timer, on_timer);
	query->timer.data = query;
	if (name_servers_open(asker->servers, &query->channel, on_socket_state, query,
			      &query->way)) {
		free(query);
		return NULL;
	}
	return query;
}

struct name_query *name_query_start(struct name_asker *asker, const char *host, int family,
				    const union address *sources, name_query_fn *done,
				    void *context)
{
	const struct ares_addrinfo_hints hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct name_query *query = take_idle(asker);

	if (!query)
		query = query_new(asker);
	if (!query)
		return NULL;
	query->done = done;
	query->context = context;
	query->answered = false;
	query->count = 0;
	for (enum ip_family each = 0; each < IP_FAMILIES; each++)
		query->way.sources[each] = sources ? sources[each] : (union address){0};
	ares_getaddrinfo(query->channel, host, NULL, &hints, on_answer, query);
	arm(query);
	return query;
}

static bool read_servers(struct name_asker *asker)
{
	struct name_servers *servers;
	struct stat now = {0};
	bool is_read;

	/* Before it is read, so that what changes meanwhile is read again. */
	(void)stat(NAME_SERVERS_FILE, &now);
	servers = name_servers_load(&asker->told, !asker->servers, &is_read);
	if (!servers)
		return false;
	if (is_read)
		asker->resolv_conf = now;
	name_servers_free(asker->servers);
	asker->servers = servers;
	asker->reading++;
	free_idle(asker);
	return true;
}

struct name_asker *name_asker_open(struct ev_loop *loop)
{
	struct name_asker *asker = calloc(1, sizeof(*asker));

	if (!asker)
		return NULL;
	asker->loop = loop;
	if (!read_servers(asker)) {
		free(asker);
		return NULL;
	}
	return asker;
}

/* By its name, as inotify(7) sees neither what a symbolic link leads to nor another file there. */
bool name_asker_refresh(struct name_asker *asker)
{
	const struct stat *then = &asker->resolv_conf;
	struct stat now = {0};

	(void)stat(NAME_SERVERS_FILE, &now);
	return (now.st_dev != then->st_dev || now.st_ino != then->st_ino ||
		now.st_size != then->st_size || now.st_ctim.tv_sec != then->st_ctim.tv_sec ||
		now.st_ctim.tv_nsec != then->st_ctim.tv_nsec) &&
	       read_servers(asker);
}

void name_asker_close(struct name_asker *asker)
{
	if (!asker)
		return;
	free_idle(asker);
	name_servers_free(asker->servers);
	free(asker);
}
