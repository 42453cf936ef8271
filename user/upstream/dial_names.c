/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of a dial: looked up, known from before, and their order. */
#include <sodium.h>

#include "upstream/dial_private.h"
#include "upstream/resolver.h"

/* RFC 8305 section 8. */
#define RESOLUTION_DELAY_S 0.05

/* A name server that works has answered by then, as a rule. */
#define KNOWN_DELAY_S 0.2

size_t dial_known(const struct dial *dial)
{
	return dial->family[IP_V6].count + dial->family[IP_V4].count;
}

bool dial_is_resolving(const struct dial *dial)
{
	return dial->family[IP_V6].pending || dial->family[IP_V4].pending;
}

static void dial_add(struct dial *dial, const union address *address)
{
	struct candidates *family = &dial->family[address_family(address)];

	for (size_t i = 0; i < family->count; i++)
		if (address_same_ip(&family->addresses[i], address))
			return;
	if (family->count < NAME_ADDRESSES_MAX &&
	    !(dial->request.skip && dial->request.skip(dial->request.skip_context, address)))
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
			.id = affinity_hash(dial->request.env.affinity, &key, sizeof(key)),
			.weight = 1};
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

static void dial_add_named(struct dial *dial, const union address *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		union address address = addresses[i];

		address_set_port(&address, dial->request.destination->port);
		dial_add(dial, &address);
	}
}

/* Where the name led before: who is there has to prove that it is the exit. False: nowhere. */
static bool dial_use_known(struct dial *dial)
{
	dial_add_named(dial, dial->request.known, dial->request.known_count);
	if (dial_known(dial) == 0)
		return false;
	dial->name = DIAL_NAME_LATE;
	dial_connect(dial);
	return true;
}

static void dial_on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct dial *dial = timer->data;

	(void)loop;
	(void)events;
	if (dial_known(dial) == 0)
		(void)dial_use_known(dial);
}

/* RFC 8305 section 3: IPv6 answers are used at once; IPv4 answers wait a little for IPv6 ones. */
static void dial_on_lookup(void *context, int af, enum cause cause, const union address *addresses,
			   size_t count)
{
	struct dial *dial = context;
	struct candidates *family = &dial->family[af == AF_INET6 ? IP_V6 : IP_V4];

	family->pending = false;
	family->lookup = NULL;
	if (cause != CAUSE_NONE)
		dial_note(dial, cause);
	else
		dial->name = DIAL_NAME_IN_TIME;
	dial_add_named(dial, addresses, count);
	if (dial->request.spread)
		dial_order(dial, family);
	if (dial->connecting) {
		if (dial->attempts_active == 0)
			dial_next(dial);
		else if (!ev_is_active(&dial->delay))
			ev_timer_again(dial->request.env.loop, &dial->delay);
	} else if (dial_known(dial) == 0) {
		if (!dial_is_resolving(dial) && !dial_use_known(dial))
			dial_finish(dial, NULL, TRANSPORT_NONE);
	} else if (dial->family[IP_V6].pending) {
		ev_timer_again(dial->request.env.loop, &dial->resolution);
	} else {
		dial_connect(dial);
	}
}

static void dial_lookup(struct dial *dial, int af)
{
	struct lookup *lookup = resolver_start(
		dial->request.env.resolver, dial->request.destination->host, af,
		dial->request.client, dial->request.ask_every_link ? dial->request.env.links : NULL,
		dial_on_lookup, dial);

	/* Without one it has answered already, and the dial may be gone. */
	if (lookup)
		dial->family[af == AF_INET6 ? IP_V6 : IP_V4].lookup = lookup;
}

static void dial_on_begin(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct dial *dial = timer->data;

	(void)loop;
	(void)events;
	if (dial->request.destination->host[0] == '\0') {
		dial_add(dial, &dial->request.destination->address);
		if (dial->request.also && dial->request.also->sa.sa_family != AF_UNSPEC)
			dial_add(dial, dial->request.also);
		dial_connect(dial);
		return;
	}
	dial->family[IP_V6].pending = true;
	dial->family[IP_V4].pending = true;
	if (dial->request.known_count > 0)
		ev_timer_start(dial->request.env.loop, &dial->patience);
	dial_lookup(dial, AF_INET6);
	dial_lookup(dial, AF_INET);
}

static void dial_on_resolution_delay(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	dial_connect(timer->data);
}

void dial_start_names(struct dial *dial)
{
	ev_init(&dial->begin, dial_on_begin);
	ev_timer_init(&dial->resolution, dial_on_resolution_delay, 0., RESOLUTION_DELAY_S);
	ev_timer_init(&dial->patience, dial_on_patience,
		      dial->request.known_at_once ? 0. : KNOWN_DELAY_S, 0.);
	dial->begin.data = dial;
	dial->resolution.data = dial;
	dial->patience.data = dial;
	ev_feed_event(dial->request.env.loop, &dial->begin, EV_CUSTOM);
}
