/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names to addresses, asynchronously, by c-ares on a libev loop. */
#include "upstream/resolver.h"

#include <ares.h>
#include <ev.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/log.h"

/* c-ares asks each server in turn, so a dead first one costs this much. */
#define TRY_TIMEOUT_MS 1500
#define TRIES	       3

/* c-ares as configured by one state of resolv.conf. */
struct channel {
	ares_channel ares;
	struct ev_loop *loop;
	ev_timer timer;
	struct ares_io *ios;
};

/* A socket of c-ares'. */
struct ares_io {
	ev_io io;
	struct channel *channel;
	struct ares_io *next;
};

struct resolver {
	struct ev_loop *loop;
	struct channel *channel;
	ev_stat resolv_conf;
};

struct lookup {
	struct resolver *resolver;
	lookup_fn *done; /* NULL once cancelled */
	void *context;
	const char *host;
	int family;
	bool starting;
	bool answered;
};

static void channel_close(struct channel *channel)
{
	ares_destroy(channel->ares); /* closes its sockets, so the ios go with it */
	ev_timer_stop(channel->loop, &channel->timer);
	free(channel);
}

/* After each call into c-ares: when does it want to be called at the latest? */
static void channel_arm(struct channel *channel)
{
	struct timeval buffer;
	struct timeval *wait = ares_timeout(channel->ares, NULL, &buffer);

	ev_timer_stop(channel->loop, &channel->timer);
	if (!wait)
		return;
	ev_timer_set(&channel->timer, (double)wait->tv_sec + (double)wait->tv_usec / 1e6, 0.);
	ev_timer_start(channel->loop, &channel->timer);
}

static void channel_on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct channel *channel = timer->data;

	(void)loop;
	(void)events;
	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	channel_arm(channel);
}

static void channel_on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct channel *channel = ((struct ares_io *)io)->channel;

	(void)loop;
	ares_process_fd(channel->ares, events & EV_READ ? io->fd : ARES_SOCKET_BAD,
			events & EV_WRITE ? io->fd : ARES_SOCKET_BAD);
	channel_arm(channel);
}

static void channel_on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct channel *channel = data;
	struct ares_io **at = &channel->ios;
	struct ares_io *found;

	while (*at && (*at)->io.fd != fd)
		at = &(*at)->next;
	found = *at;
	if (found)
		ev_io_stop(channel->loop, &found->io);
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
			return; /* the lookup runs into its timeout */
		found->channel = channel;
		found->next = channel->ios;
		channel->ios = found;
	}
	ev_io_init(&found->io, channel_on_io, fd,
		   (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	ev_io_start(channel->loop, &found->io);
}

static struct channel *channel_open(struct ev_loop *loop)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	struct ares_options options = {
		.timeout = TRY_TIMEOUT_MS,
		.tries = TRIES,
		.sock_state_cb = channel_on_socket_state,
		.sock_state_cb_data = channel,
	};
	int err;

	if (!channel)
		return NULL;
	channel->loop = loop;
	err = ares_init_options(&channel->ares, &options,
				ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (err) {
		log_error("resolver: %s", ares_strerror(err));
		free(channel);
		return NULL;
	}
	ev_init(&channel->timer, channel_on_timer);
	channel->timer.data = channel;
	return channel;
}

static void resolver_on_resolv_conf(struct ev_loop *loop, ev_stat *stat, int events)
{
	struct resolver *resolver = stat->data;
	struct channel *old = resolver->channel;
	struct channel *channel = channel_open(loop);

	(void)events;
	if (!channel)
		return;
	/* What is being looked up in the old one is started again in the new one. */
	resolver->channel = channel;
	channel_close(old);
}

struct resolver *resolver_open(struct ev_loop *loop)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return NULL;
	resolver->loop = loop;
	resolver->channel = channel_open(loop);
	if (!resolver->channel) {
		free(resolver);
		return NULL;
	}
	/* Links come and go, and with them their name servers. */
	ev_stat_init(&resolver->resolv_conf, resolver_on_resolv_conf, "/etc/resolv.conf", 0.);
	resolver->resolv_conf.data = resolver;
	ev_stat_start(loop, &resolver->resolv_conf);
	return resolver;
}

void resolver_close(struct resolver *resolver)
{
	if (!resolver)
		return;
	ev_stat_stop(resolver->loop, &resolver->resolv_conf);
	channel_close(resolver->channel);
	free(resolver);
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

static void lookup_issue(struct lookup *lookup);

static void lookup_on_answer(void *data, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup *lookup = data;
	union address addresses[LOOKUP_ADDRESSES_MAX];
	enum cause cause = cause_from_ares(status);
	size_t count = 0;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION && lookup->done) {
		lookup_issue(lookup);
		return;
	}
	for (struct ares_addrinfo_node *node = info ? info->nodes : NULL;
	     node && count < LOOKUP_ADDRESSES_MAX; node = node->ai_next) {
		const union address *address = (const void *)node->ai_addr;

		if (node->ai_family == AF_INET)
			address_from_bytes(&addresses[count++], AF_INET, &address->in4.sin_addr, 0);
		else if (node->ai_family == AF_INET6)
			address_from_bytes(&addresses[count++], AF_INET6, &address->in6.sin6_addr,
					   0);
	}
	if (info)
		ares_freeaddrinfo(info);
	if (cause == CAUSE_NONE && count == 0)
		cause = CAUSE_NAME_NOT_FOUND;
	if (lookup->done)
		lookup->done(lookup->context, lookup->family, cause, addresses, count);
	lookup->answered = true;
	if (!lookup->starting)
		free(lookup);
}

static void lookup_issue(struct lookup *lookup)
{
	const struct ares_addrinfo_hints hints = {.ai_family = lookup->family,
						  .ai_socktype = SOCK_STREAM};
	struct channel *channel = lookup->resolver->channel;

	ares_getaddrinfo(channel->ares, lookup->host, NULL, &hints, lookup_on_answer, lookup);
	channel_arm(channel);
}

struct lookup *resolver_start(struct resolver *resolver, const char *host, int family,
			      lookup_fn *done, void *context)
{
	struct lookup *lookup = malloc(sizeof(*lookup));

	if (!lookup) {
		done(context, family, CAUSE_RESOURCES, NULL, 0);
		return NULL;
	}
	*lookup = (struct lookup){.resolver = resolver,
				  .done = done,
				  .context = context,
				  .host = host,
				  .family = family,
				  .starting = true};
	lookup_issue(lookup);
	lookup->starting = false;
	if (lookup->answered) {
		free(lookup);
		return NULL;
	}
	return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
	lookup->done = NULL;
}
