/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a destination to a connected socket: resolve, race the addresses, MPTCP or TCP. */
#include "upstream/dial.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/loop_clock.h"
#include "links/link_choice.h"
#include "links/link_news.h"
#include "net/mptcp_blackhole.h"
#include "net/socket.h"
#include "shared/exit_state.h"
#include "shared/recent_dials.h"
#include "upstream/auto_bypass.h"
#include "upstream/name_query.h"
#include "upstream/own_listener.h"
#include "upstream/resolver.h"
#include "upstream/tcp_only.h"

/* RFC 8305 section 8. */
#define RESOLUTION_DELAY_S 0.05
#define ATTEMPT_DELAY_S	   0.25
/* A link that is far away is no reason to use a backup. */
#define BACKUP_DELAY_S 0.75
/* A name server that works has answered by then, as a rule. */
#define KNOWN_DELAY_S 0.2

/* By then the main thread has told the kernel to route around us, if it does. */
#define SAMPLE_AFTER_S 2.

/* RFC 8305 section 4: the families take turns, IPv6 first. */
enum { FAMILY_V6, FAMILY_V4, FAMILY_COUNT };

/* One for each address, and as many by other links. */
#define ATTEMPTS_MAX ((size_t)2 * NAME_ADDRESSES_MAX * FAMILY_COUNT)

struct candidates {
	union address addresses[NAME_ADDRESSES_MAX];
	size_t count;
	size_t next; /* not tried yet from here on */
	bool pending;
	struct lookup *lookup;
};

struct attempt {
	struct dial *dial;
	union address address;
	bool anew;  /* plain TCP now, as it fell back */
	bool final; /* refused, or not to be: another link makes no difference */
	int slot;   /* of the link that was chosen; -1: none was */
	ev_io io;
};

struct dial {
	struct ev_loop *loop;
	struct resolver *resolver;
	struct tcp_only *tcp_only;
	struct mptcp_blackhole *mptcp_blackhole;
	struct link_picker *links;
	struct affinity *affinity; /* NULL: links take turns */
	struct affinity_pair pair;
	struct recent_dials *recent_dials;
	const struct config *config;
	struct destination destination;
	union address client;
	bool (*skip)(void *context, const union address *address); /* NULL: none */
	void *skip_context;
	bool spread;
	bool every_link;
	bool ask_every_link;
	union address known[EXIT_ADDRESSES_MAX];
	size_t known_count;
	enum dial_name name;
	bool fast_open;
	struct egress_policy egress;
	bool plain;
	bool transparent;
	struct auto_bypass *auto_bypass;
	union address source; /* to dial from; AF_UNSPEC: the kernel's choice */
	bool connecting;
	double connecting_s; /* since when */
	int turn;	     /* the family to try next, if it has addresses */
	struct candidates family[FAMILY_COUNT];
	struct attempt attempts[ATTEMPTS_MAX];
	size_t attempt_count;
	size_t attempts_active;
	enum cause cause;    /* of the failures so far, the one of highest rank */
	ev_timer begin;	     /* only ever fed: to start from the loop */
	ev_timer resolution; /* AAAA is waited for, A is there */
	ev_timer delay;	     /* to the next attempt */
	ev_timer patience;   /* with names, where addresses are known */
	dial_fn *notify;
	void *context;
};

static void dial_next(struct dial *dial);

static void dial_note(struct dial *dial, enum cause cause)
{
	if (cause_info(cause)->rank > cause_info(dial->cause)->rank || dial->cause == CAUSE_NONE)
		dial->cause = cause;
}

/* For an attempt. Where no other is under way, it has that of the session. */
static bool dial_take_descriptor(const struct dial *dial)
{
	return dial->attempts_active == 0 || descriptors_take(DESCRIPTORS_ATTEMPT, 1);
}

static void dial_give_descriptor(const struct dial *dial)
{
	if (dial->attempts_active > 0)
		descriptors_give(DESCRIPTORS_ATTEMPT, 1);
}

static void dial_attempt_ended(struct dial *dial)
{
	dial->attempts_active--;
	dial_give_descriptor(dial);
}

/* Closes the attempts but keep, forgets the lookups, frees. */
static void dial_free(struct dial *dial, const struct attempt *keep)
{
	ev_timer_stop(dial->loop, &dial->begin);
	ev_timer_stop(dial->loop, &dial->resolution);
	ev_timer_stop(dial->loop, &dial->delay);
	ev_timer_stop(dial->loop, &dial->patience);
	for (size_t i = 0; i < FAMILY_COUNT; i++)
		if (dial->family[i].lookup)
			lookup_cancel(dial->family[i].lookup);
	for (size_t i = 0; i < dial->attempt_count; i++) {
		struct attempt *attempt = &dial->attempts[i];

		if (attempt->io.fd < 0)
			continue;
		ev_io_stop(dial->loop, &attempt->io);
		if (attempt != keep)
			close(attempt->io.fd);
		dial_attempt_ended(dial);
	}
	free(dial);
}

static size_t dial_known(const struct dial *dial)
{
	return dial->family[FAMILY_V6].count + dial->family[FAMILY_V4].count;
}

static bool dial_is_resolving(const struct dial *dial)
{
	return dial->family[FAMILY_V6].pending || dial->family[FAMILY_V4].pending;
}

static void dial_finish(struct dial *dial, const struct attempt *winner, enum transport transport)
{
	struct dial_result result = {
		.fd = winner ? winner->io.fd : -1,
		.transport = transport,
		.cause = winner ? CAUSE_NONE : dial->cause,
		.name = dial->name,
		.others = dial_known(dial) > (winner ? 1 : 0) || dial_is_resolving(dial),
	};
	dial_fn *notify = dial->notify;
	void *context = dial->context;

	if (winner)
		result.address = winner->address;
	dial_free(dial, winner);
	notify(context, winner ? DIAL_CONNECTED : DIAL_FAILED, &result);
}

void dial_cancel(struct dial *dial)
{
	dial_free(dial, NULL);
}

/* CAUSE_NONE if the connection may be used. */
static enum cause attempt_check(const struct attempt *attempt, enum transport *transport)
{
	const struct dial *dial = attempt->dial;
	int err = socket_error(attempt->io.fd);

	if (err)
		return cause_from_errno(err);
	*transport = mptcp_transport(attempt->io.fd);
	/* The kernel ends it without an error when its link is taken out meanwhile. */
	if (*transport != TRANSPORT_TCP && !socket_is_connected(attempt->io.fd))
		return CAUSE_NETWORK_UNREACHABLE;
	if (dial->config->mptcp == MPTCP_MODE_ON && !dial->plain && *transport != TRANSPORT_MPTCP)
		return CAUSE_NOT_MPTCP;
	return CAUSE_NONE;
}

static void attempt_failed(struct attempt *attempt, enum cause cause)
{
	char text[ADDRESS_TEXT_MAX];

	log_debug("dial: %s: %s", address_format(&attempt->address, text), cause_info(cause)->text);
	dial_note(attempt->dial, cause);
	attempt->final = cause != CAUSE_NETWORK_UNREACHABLE && cause != CAUSE_HOST_UNREACHABLE &&
			 cause != CAUSE_CONNECT_TIMEOUT;
	if (attempt->io.fd >= 0) {
		ev_io_stop(attempt->dial->loop, &attempt->io);
		close(attempt->io.fd);
		attempt->io.fd = -1;
	}
	dial_attempt_ended(attempt->dial);
}

/* What is this kernel's doing is not to be held against a destination. */
static bool attempt_is_ours(const struct attempt *attempt)
{
	const struct dial *dial = attempt->dial;

	return !mptcp_tells_fallback() ||
	       mptcp_blackhole_likely(dial->mptcp_blackhole, loop_clock_s(dial->loop));
}

/* The kernel may lose what arrives on a connection that fell back. One that listens for a single
 * connection (FTP data, nc -l) must keep it; services of well-known ports do not. */
static bool attempt_wants_anew(const struct attempt *attempt, enum transport transport)
{
	const struct dial *dial = attempt->dial;

	return transport == TRANSPORT_FALLBACK && dial->config->mptcp == MPTCP_MODE_AUTO &&
	       dial->tcp_only && dial->source.sa.sa_family == AF_UNSPEC &&
	       address_port(&attempt->address) < dial->config->relay.tune.redial_below_port &&
	       !attempt_is_ours(attempt);
}

/* Tells the memory what the connection became. One that was plain TCP by choice tells nothing. */
static void attempt_learn(const struct attempt *attempt, enum transport transport)
{
	struct dial *dial = attempt->dial;
	const double now = loop_clock_s(dial->loop);

	if (attempt->anew || dial->config->mptcp != MPTCP_MODE_AUTO || !dial->tcp_only)
		return;
	if (transport == TRANSPORT_FALLBACK && attempt_is_ours(attempt))
		return;
	if (tcp_only_note(dial->tcp_only, &attempt->address, transport, now) &&
	    dial->config->intercept.auto_bypass)
		auto_bypass_note(dial->auto_bypass, &attempt->address,
				 transport == TRANSPORT_MPTCP);
}

static bool attempt_wants_mptcp(const struct attempt *attempt)
{
	const struct dial *dial = attempt->dial;
	struct tcp_only_config rule = dial->config->tcp_only;

	if (dial->plain || attempt->anew)
		return false;
	/* What is known to have no MPTCP is routed around us by then, so this one is the one in
	 * many that comes through to find out. */
	if (dial->transparent && dial->config->intercept.auto_bypass)
		rule.sample_after_s = SAMPLE_AFTER_S;
	switch (dial->config->mptcp) {
	case MPTCP_MODE_ON:
		return true;
	case MPTCP_MODE_OFF:
		return false;
	default:
		return !dial->tcp_only || !tcp_only_choose(dial->tcp_only, &attempt->address, &rule,
							   loop_clock_s(dial->loop));
	}
}

static void attempt_on_writable(struct ev_loop *loop, ev_io *io, int events);

/* False: what there is takes turns, or is drawn by lot. */
static bool dial_sticks(const struct dial *dial, const union address *to,
			struct affinity_asker *out)
{
	if (!dial->affinity || dial->config->sticky_s == 0)
		return false;
	*out = (struct affinity_asker){
		.affinity = dial->affinity,
		.pair = dial->pair.hash ? dial->pair
					: affinity_pair(dial->affinity, &dial->client,
							dial->destination.host, to),
		.keep_s = dial->config->sticky_s,
		.now_s = loop_clock_s(dial->loop),
	};
	return true;
}

/* Has the connection begin on a link of our choice, or on that of before: the rule for the address
 * leads it there. An MPTCP socket must not be bound to the interface, which the kernel would copy
 * to all subflows. 0, or -ENETUNREACH when no link may be used. */
static int attempt_choose_link(struct attempt *attempt, int fd, const struct link_choice *link)
{
	const struct dial *dial = attempt->dial;
	struct affinity_asker asker;
	const union address *source;
	char text[ADDRESS_TEXT_MAX];
	/* Where the first attempt is slow the others are to find another link. */
	const bool sticks = !(dial->every_link && dial->attempt_count > 1) &&
			    dial_sticks(dial, &attempt->address, &asker);
	int err = link ? 0
		       : link_picker_choose(dial->links, &attempt->address, sticks ? &asker : NULL,
					    &link);

	if (!link)
		return err;
	source = &link->sources[address_family(&attempt->address)];
	/* An address that has just gone leaves the choice to the kernel. */
	if (socket_bind_source(fd, source) == 0) {
		attempt->slot = (int)link->slot;
		log_debug("dial: %s by link %s", address_format(&attempt->address, text),
			  link->name);
	}
	return 0;
}

/* 0, or a negative errno when it must not be made. */
static int attempt_judge(const struct attempt *attempt)
{
	const struct dial *dial = attempt->dial;
	struct netlink *routes = dial->links->routes;
	int err = egress_check(&dial->egress, routes, &dial->client, &attempt->address);

	if (!err)
		err = own_listener_is_at(dial->config, routes, &attempt->address);
	return err > 0 ? -EACCES : err;
}

static void attempt_remember(const struct attempt *attempt, int fd)
{
	union address from;

	if (!attempt->dial->recent_dials)
		return;
	socket_local_address(fd, &from);
	recent_dials_add(attempt->dial->recent_dials, &from, &attempt->address,
			 clock_monotonic_s());
}

/* 0 when under way. link NULL: whose turn it is. */
static int attempt_start(struct attempt *attempt, const struct link_choice *link)
{
	struct dial *dial = attempt->dial;
	const struct tune *tune = &dial->config->relay.tune;
	const union address *to = &attempt->address;
	int err = attempt_judge(attempt);
	int fd;

	if (err)
		return err;
	fd = mptcp_socket(to->sa.sa_family, attempt_wants_mptcp(attempt));
	if (fd < 0)
		return fd;
	socket_bound(fd, tune->receive_bytes, tune->unsent_bytes);
	/* With MPTCP an early answer gets lost. */
	if (dial->fast_open && mptcp_transport(fd) == TRANSPORT_TCP)
		socket_send_early(fd);
	if (dial->source.sa.sa_family == to->sa.sa_family)
		err = socket_bind_foreign(fd, &dial->source);
	else
		err = attempt_choose_link(attempt, fd, link);
	if (!err && connect(fd, &to->sa, address_length(to)) && errno != EINPROGRESS)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	attempt_remember(attempt, fd);
	ev_io_init(&attempt->io, attempt_on_writable, fd, EV_WRITE);
	attempt->io.data = attempt;
	ev_io_start(dial->loop, &attempt->io);
	return 0;
}

/* 0 when under way. */
static int attempt_anew(struct attempt *attempt)
{
	struct dial *dial = attempt->dial;

	ev_io_stop(dial->loop, &attempt->io);
	close(attempt->io.fd);
	attempt->io.fd = -1;
	attempt->anew = true;
	return attempt_start(attempt, NULL);
}

static void attempt_on_writable(struct ev_loop *loop, ev_io *io, int events)
{
	struct attempt *attempt = io->data;
	struct dial *dial = attempt->dial;
	enum transport transport = TRANSPORT_NONE;
	enum cause cause = attempt_check(attempt, &transport);
	int err;

	(void)loop;
	(void)events;
	if (cause == CAUSE_NONE) {
		attempt_learn(attempt, transport);
		if (!attempt_wants_anew(attempt, transport)) {
			dial_finish(dial, attempt, transport);
			return;
		}
		err = attempt_anew(attempt);
		if (err == 0)
			return;
		cause = cause_from_errno(-err);
	}
	attempt_failed(attempt, cause);
	dial_next(dial);
}

static const union address *dial_pick(struct dial *dial)
{
	for (int i = 0; i < FAMILY_COUNT; i++) {
		struct candidates *family = &dial->family[(dial->turn + i) % FAMILY_COUNT];

		if (family->next < family->count) {
			dial->turn = (dial->turn + i + 1) % FAMILY_COUNT;
			return &family->addresses[family->next++];
		}
	}
	return NULL;
}

/* The links that have been tried for an address, by the bits of their slots; false: nothing is to
 * be gained by another. */
static bool dial_links_tried(const struct dial *dial, const union address *address, uint32_t *tried)
{
	*tried = 0;
	for (size_t i = 0; i < dial->attempt_count; i++) {
		const struct attempt *attempt = &dial->attempts[i];

		if (!address_same_ip(&attempt->address, address))
			continue;
		if (attempt->final || attempt->slot < 0)
			return false;
		*tried |= 1U << attempt->slot;
	}
	return true;
}

/* A link by which an address has not been tried; a backup only if the others had their time. */
static const struct link_choice *dial_other_link(const struct dial *dial, enum ip_family family,
						 uint32_t tried, bool *later)
{
	const struct link_choice *link = link_picker_other(dial->links, family, tried, false);

	if (link)
		return link;
	link = link_picker_other(dial->links, family, tried, true);
	if (!link || dial->attempts_active == 0 ||
	    clock_monotonic_s() - dial->connecting_s >= BACKUP_DELAY_S)
		return link;
	*later = true;
	return NULL;
}

/* An address again by a link by which it has not been tried; NULL: there is none, or it is not time
 * for it. What is being tried is slow, so its link is looked at. */
static const union address *dial_pick_again(const struct dial *dial,
					    const struct link_choice **link, bool *later)
{
	for (size_t i = 0; dial->every_link && i < dial->attempt_count; i++) {
		const struct attempt *attempt = &dial->attempts[i];
		uint32_t tried;

		if (!dial_links_tried(dial, &attempt->address, &tried))
			continue;
		*link = dial_other_link(dial, address_family(&attempt->address), tried, later);
		if (!*link)
			continue;
		if (dial->links->choices.news)
			link_news_overtaken(dial->links->choices.news, (unsigned int)attempt->slot);
		return &attempt->address;
	}
	return NULL;
}

/* Starts the next attempt that gets under way; reports failure when nothing is left to wait for. */
static void dial_next(struct dial *dial)
{
	bool later = false;

	while (dial->attempt_count < ATTEMPTS_MAX) {
		struct attempt *attempt = &dial->attempts[dial->attempt_count];
		const struct link_choice *link = NULL;
		const union address *address;
		int err;

		/* There is one when an attempt of ours has failed, if not before. */
		if (!dial_take_descriptor(dial)) {
			later = true;
			break;
		}
		address = dial_pick(dial);
		if (!address)
			address = dial_pick_again(dial, &link, &later);
		if (!address) {
			dial_give_descriptor(dial);
			break;
		}
		*attempt = (struct attempt){
			.dial = dial, .address = *address, .slot = -1, .io.fd = -1};
		dial->attempt_count++;
		dial->attempts_active++;
		err = attempt_start(attempt, link);
		if (err == 0) {
			ev_timer_again(dial->loop, &dial->delay);
			return;
		}
		attempt_failed(attempt, cause_from_errno(-err));
	}
	if (later) {
		ev_timer_again(dial->loop, &dial->delay);
		return;
	}
	ev_timer_stop(dial->loop, &dial->delay);
	if (dial->attempts_active == 0 && !dial_is_resolving(dial))
		dial_finish(dial, NULL, TRANSPORT_NONE);
}

static void dial_connect(struct dial *dial)
{
	ev_timer_stop(dial->loop, &dial->resolution);
	if (!dial->connecting) {
		dial->connecting = true;
		dial->connecting_s = clock_monotonic_s();
		dial->notify(dial->context, DIAL_CONNECTING, NULL);
	}
	dial_next(dial);
}

static void dial_on_delay(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	dial_next(timer->data);
}

static void dial_on_resolution_delay(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	dial_connect(timer->data);
}

static void dial_add(const struct dial *dial, struct candidates *family,
		     const union address *address)
{
	for (size_t i = 0; i < family->count; i++)
		if (address_same_ip(&family->addresses[i], address))
			return;
	if (family->count < NAME_ADDRESSES_MAX &&
	    !(dial->skip && dial->skip(dial->skip_context, address)))
		family->addresses[family->count++] = *address;
}

/* As others may have tried them before, or will: each pair begins with its own, and goes on to its
 * own next one. What has been tried stays. */
static void dial_order(const struct dial *dial, struct candidates *family)
{
	union address *addresses = family->addresses;
	struct affinity_way ways[NAME_ADDRESSES_MAX] = {0};
	struct affinity_asker asker;
	bool sticks = family->count > 0 && dial_sticks(dial, &addresses[0], &asker);

	for (size_t i = family->next; sticks && i < family->count; i++) {
		const struct address_key key = address_key(&addresses[i]);

		ways[i] = (struct affinity_way){
			.id = affinity_hash(dial->affinity, &key, sizeof(key)), .weight = 1};
	}
	for (size_t i = family->next; i + 1 < family->count; i++) {
		const size_t left = family->count - i;
		const union address address = addresses[i];
		const struct affinity_way way = ways[i];
		size_t first = i;

		/* Only the first is remembered. */
		if (i > 0)
			asker.keep_s = 0;
		first += sticks ? affinity_choose(&asker,
						  AFFINITY_EXIT_ADDRESS + address_family(&address),
						  ways + i, left)
				: randombytes_uniform((uint32_t)left);
		addresses[i] = addresses[first];
		ways[i] = ways[first];
		addresses[first] = address;
		ways[first] = way;
	}
}

/* Where the name led before: who is there has to prove that it is the exit. */
static void dial_use_known(struct dial *dial)
{
	for (size_t i = 0; i < dial->known_count; i++) {
		union address address = dial->known[i];

		address_set_port(&address, dial->destination.port);
		dial_add(dial,
			 &dial->family[address.sa.sa_family == AF_INET6 ? FAMILY_V6 : FAMILY_V4],
			 &address);
	}
	if (dial_known(dial) > 0)
		dial->name = DIAL_NAME_LATE;
}

static void dial_on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct dial *dial = timer->data;

	(void)loop;
	(void)events;
	if (dial_known(dial) > 0)
		return;
	dial_use_known(dial);
	if (dial_known(dial) > 0)
		dial_connect(dial);
}

/* RFC 8305 section 3: IPv6 answers are used at once; IPv4 answers wait a little for IPv6 ones. */
static void dial_on_lookup(void *context, int af, enum cause cause, const union address *addresses,
			   size_t count)
{
	struct dial *dial = context;
	struct candidates *family = &dial->family[af == AF_INET6 ? FAMILY_V6 : FAMILY_V4];

	family->pending = false;
	family->lookup = NULL;
	if (cause != CAUSE_NONE)
		dial_note(dial, cause);
	else
		dial->name = DIAL_NAME_IN_TIME;
	for (size_t i = 0; i < count; i++) {
		union address address = addresses[i];

		address_set_port(&address, dial->destination.port);
		dial_add(dial, family, &address);
	}
	if (dial->spread)
		dial_order(dial, family);
	if (dial->connecting) {
		if (dial->attempts_active == 0)
			dial_next(dial);
		else if (!ev_is_active(&dial->delay))
			ev_timer_again(dial->loop, &dial->delay);
	} else if (dial_known(dial) == 0) {
		if (dial_is_resolving(dial))
			return;
		dial_use_known(dial);
		if (dial_known(dial) > 0)
			dial_connect(dial);
		else
			dial_finish(dial, NULL, TRANSPORT_NONE);
	} else if (dial->family[FAMILY_V6].pending) {
		ev_timer_again(dial->loop, &dial->resolution);
	} else {
		dial_connect(dial);
	}
}

static void dial_lookup(struct dial *dial, struct candidates *family, int af)
{
	struct lookup *lookup =
		resolver_start(dial->resolver, dial->destination.host, af, &dial->client,
			       dial->ask_every_link ? dial->links : NULL, dial_on_lookup, dial);

	/* Without one it has answered already, and the dial may be gone. */
	if (lookup)
		family->lookup = lookup;
}

static void dial_on_begin(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct dial *dial = timer->data;
	struct destination *to = &dial->destination;

	(void)loop;
	(void)events;
	if (to->host[0] == '\0') {
		dial_add(dial, &dial->family[FAMILY_V6], &to->address);
		dial_connect(dial);
		return;
	}
	dial->family[FAMILY_V6].pending = true;
	dial->family[FAMILY_V4].pending = true;
	if (dial->known_count > 0)
		ev_timer_start(dial->loop, &dial->patience);
	dial_lookup(dial, &dial->family[FAMILY_V6], AF_INET6);
	dial_lookup(dial, &dial->family[FAMILY_V4], AF_INET);
}

struct dial *dial_start(const struct dial_request *request, dial_fn *notify, void *context)
{
	struct dial *dial = calloc(1, sizeof(*dial));

	if (!dial)
		return NULL;
	dial->loop = request->loop;
	dial->resolver = request->resolver;
	dial->tcp_only = request->tcp_only;
	dial->mptcp_blackhole = request->mptcp_blackhole;
	dial->links = request->links;
	dial->affinity = request->affinity;
	dial->pair = request->pair;
	dial->recent_dials = request->recent_dials;
	dial->config = request->config;
	dial->destination = *request->destination;
	dial->plain = request->plain;
	dial->transparent = request->transparent;
	dial->auto_bypass = request->auto_bypass;
	if (request->transparent && request->config->intercept.transparent_source)
		dial->source = *request->client;
	dial->client = *request->client;
	dial->skip = request->skip;
	dial->skip_context = request->skip_context;
	dial->spread = request->spread;
	dial->every_link = request->every_link;
	dial->fast_open = request->fast_open;
	dial->egress = request->egress;
	dial->ask_every_link = request->ask_every_link;
	dial->known_count = request->known_count;
	for (size_t i = 0; i < request->known_count; i++)
		dial->known[i] = request->known[i];
	dial->notify = notify;
	dial->context = context;
	ev_init(&dial->begin, dial_on_begin);
	ev_timer_init(&dial->resolution, dial_on_resolution_delay, 0., RESOLUTION_DELAY_S);
	ev_timer_init(&dial->delay, dial_on_delay, 0., ATTEMPT_DELAY_S);
	ev_timer_init(&dial->patience, dial_on_patience,
		      request->known_at_once ? 0. : KNOWN_DELAY_S, 0.);
	dial->patience.data = dial;
	dial->begin.data = dial;
	dial->resolution.data = dial;
	dial->delay.data = dial;
	ev_feed_event(dial->loop, &dial->begin, EV_CUSTOM);
	return dial;
}
