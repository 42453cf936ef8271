/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits for which name, and what is asked now. */
#include "upstream/resolver.h"

#include <ctype.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "links/link_choice.h"
#include "names/name_query.h"

/* Long enough to spare the name server a client that insists, short enough for who mends it. */
#define NOT_FOUND_S 5.
#define NO_ANSWER_S 1.

/* How often resolv.conf is looked at while questions are under way. */
#define LOOK_S 1.

/* By the kernel's way, or by a link. */
struct question {
	struct name *name;
	struct name_query *query; /* NULL: answered, or not asked */
};

/* A name in one family: waits for its turn, is asked for, or has failed. */
struct name {
	struct resolver *resolver;
	struct name_list *list; /* that it is in */
	struct name *next;
	struct question questions[1 + LINKS_MAX];
	size_t asked;			 /* of them, without an answer; 0 unless it is running */
	const struct link_picker *links; /* by which it is asked, too; NULL: by none */
	struct lookup *lookups;		 /* none once it has failed */
	union address client;		 /* who asked first */
	union address source;		 /* where that is */
	enum cause cause;		 /* once it has failed */
	double failed_until_s;		 /* of clock_monotonic_s() */
	int family;
	char host[HOST_NAME_MAX_BYTES + 1];
};

/* In order of arrival. */
struct name_list {
	struct name *first;
	struct name **last;
	size_t count;
};

struct resolver {
	struct ev_loop *loop;
	struct name_asker *asker;
	uint32_t questions_max;
	struct name_list waiting;
	struct name_list running;
	struct name_list failed;
	ev_timer look;
};

struct lookup {
	struct name *name;
	lookup_fn *done;
	void *context;
	struct lookup *next;
	struct lookup **link;
};

static void list_init(struct name_list *list)
{
	*list = (struct name_list){.last = &list->first};
}

/* Lists are short: RESOLVER_WAITING_MAX, RESOLVER_FAILED_MAX. */
static void list_remove(struct name_list *list, struct name *name)
{
	struct name **link = &list->first;

	while (*link != name)
		link = &(*link)->next;
	*link = name->next;
	if (list->last == &name->next)
		list->last = link;
	list->count--;
	name->list = NULL;
}

static void list_append(struct name_list *list, struct name *name)
{
	name->list = list;
	name->next = NULL;
	*list->last = name;
	list->last = &name->next;
	list->count++;
}

static bool has_failed(const struct name *name)
{
	return name->list == &name->resolver->failed;
}

static bool is_over(const struct name *name)
{
	return has_failed(name) && name->failed_until_s <= clock_monotonic_s();
}

/* by_links: what was asked for by the kernel's way alone does not do. */
static struct name *list_find(const struct name_list *list, const char *host, int family,
			      bool by_links)
{
	struct name *name = list->first;

	while (name && (name->family != family || (by_links && !name->links) ||
			strcasecmp(name->host, host) != 0 || is_over(name)))
		name = name->next;
	return name;
}

static void stop_asking(struct name *name)
{
	for (size_t i = 0; name->asked > 0; i++) {
		if (!name->questions[i].query)
			continue;
		name_query_cancel(name->questions[i].query);
		name->questions[i].query = NULL;
		name->asked--;
	}
}

static void name_free(struct name_list *list, struct name *name)
{
	stop_asking(name);
	list_remove(list, name);
	free(name);
}

/* Calls everybody who waits; any of them may cancel others. */
static void name_tell(struct name *name, enum cause cause, const union address *addresses,
		      size_t count)
{
	struct lookup *lookup;

	while ((lookup = name->lookups)) {
		name->lookups = lookup->next;
		if (lookup->next)
			lookup->next->link = &name->lookups;
		lookup->done(lookup->context, name->family, cause, addresses, count);
		free(lookup);
	}
}

/* While nobody is told of one. */
static void forget_failed(struct resolver *resolver)
{
	struct name *next;

	for (struct name *name = resolver->failed.first; name; name = next) {
		next = name->next;
		if (is_over(name) || resolver->failed.count > RESOLVER_FAILED_MAX)
			name_free(&resolver->failed, name);
	}
}

static void run(struct name *name);
static void start_waiting(struct resolver *resolver);

/* Links come and go, and with them their name servers: what is being asked is asked of the new
 * ones. False: they are as before. */
static bool follow_resolv_conf(struct resolver *resolver)
{
	struct name *next;

	if (!name_asker_refresh(resolver->asker))
		return false;
	for (struct name *name = resolver->failed.first; name; name = name->next)
		name->failed_until_s = 0;
	for (struct name *name = resolver->running.first; name; name = next) {
		next = name->next;
		stop_asking(name);
		run(name);
	}
	return true;
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct resolver *resolver = timer->data;

	(void)events;
	(void)follow_resolv_conf(resolver);
	if (resolver->running.count == 0)
		ev_timer_stop(loop, timer);
}

static void on_answer(void *context, enum cause cause, const union address *addresses, size_t count)
{
	struct question *question = context;
	struct name *name = question->name;
	struct resolver *resolver = name->resolver;

	question->query = NULL;
	name->asked--;
	/* That there is no such name is more than that somebody did not say. */
	if (cause == CAUSE_NAME_NOT_FOUND)
		name->cause = cause;
	else if (cause != CAUSE_NONE && name->cause == CAUSE_NAME_NOT_FOUND)
		cause = CAUSE_NAME_NOT_FOUND;
	if (cause != CAUSE_NONE && name->asked > 0)
		return;
	stop_asking(name);
	/* Who did not answer may be gone. */
	if (cause == CAUSE_RESOLVE_FAILED && follow_resolv_conf(resolver))
		return;
	list_remove(&resolver->running, name);
	/* Who is told may ask again at once. */
	if (cause == CAUSE_NAME_NOT_FOUND || cause == CAUSE_RESOLVE_FAILED) {
		name->cause = cause;
		name->failed_until_s = clock_monotonic_s() +
				       (cause == CAUSE_NAME_NOT_FOUND ? NOT_FOUND_S : NO_ANSWER_S);
		list_append(&resolver->failed, name);
		name_tell(name, cause, addresses, count);
	} else {
		name_tell(name, cause, addresses, count);
		free(name);
	}
	forget_failed(resolver);
	start_waiting(resolver);
}

/* Asked alone, it need not fit. */
static bool may_run(const struct resolver *resolver, const struct name *name)
{
	size_t questions = 1 + (name->links ? name->links->choices.count : 0);
	unsigned int of_client = 0;

	if (resolver->running.count >= RESOLVER_RUNNING_MAX)
		return false;
	for (const struct name *other = resolver->running.first; other; other = other->next) {
		questions += other->asked;
		if (address_same_ip(&other->source, &name->source))
			of_client++;
	}
	if (resolver->running.count > 0 && questions > resolver->questions_max)
		return false;
	return address_is_loopback(&name->client) || of_client < RESOLVER_RUNNING_CLIENT_MAX;
}

static void ask(struct name *name, size_t place, const union address *sources)
{
	struct question *question = &name->questions[place];

	question->name = name;
	question->query = name_query_start(name->resolver->asker, name->host, name->family, sources,
					   on_answer, question);
	name->asked += question->query != NULL;
}

/* Without memory the name waits on, until something else gives some back or its session gives up.
 */
static void run(struct name *name)
{
	struct resolver *resolver = name->resolver;
	const struct link_choices *choices = name->links ? &name->links->choices : NULL;
	struct name_list *list;

	name->cause = CAUSE_NONE;
	ask(name, 0, NULL);
	for (size_t i = 0; choices && i < choices->count; i++) {
		const union address *sources = choices->links[i].sources;

		if (sources[IP_V4].sa.sa_family != AF_UNSPEC ||
		    sources[IP_V6].sa.sa_family != AF_UNSPEC)
			ask(name, 1 + i, sources);
	}
	list = name->asked > 0 ? &resolver->running : &resolver->waiting;
	if (list == name->list)
		return;
	list_remove(name->list, name);
	list_append(list, name);
	if (list == &resolver->running && !ev_is_active(&resolver->look))
		ev_timer_again(resolver->loop, &resolver->look);
}

static void start_waiting(struct resolver *resolver)
{
	struct name *next;

	for (struct name *name = resolver->waiting.first; name; name = next) {
		next = name->next;
		if (may_run(resolver, name))
			run(name);
	}
}

/* As much as is free: it leaves room for others, who leave room in turn. */
static bool may_wait(const struct resolver *resolver, const union address *source)
{
	size_t of_client = 0;

	for (const struct name *name = resolver->waiting.first; name; name = name->next)
		of_client += address_same_ip(&name->source, source);
	return of_client < RESOLVER_WAITING_MAX - resolver->waiting.count;
}

static struct name *name_new(struct resolver *resolver, const char *host, int family,
			     const union address *client, const struct link_picker *links)
{
	const union address source = address_source(client);
	struct name *name = may_wait(resolver, &source) ? calloc(1, sizeof(*name)) : NULL;

	if (!name)
		return NULL;
	name->resolver = resolver;
	name->family = family;
	name->client = *client;
	name->source = source;
	name->links = links;
	strncpy(name->host, host, sizeof(name->host) - 1);
	list_append(&resolver->waiting, name);
	return name;
}

/* RFC 6761 section 6.3. */
static bool is_localhost(const char *host)
{
	static const char localhost[] = "localhost";
	size_t len = strlen(host);

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len < sizeof(localhost) - 1)
		return false;
	host += len - (sizeof(localhost) - 1);
	return strncasecmp(host, localhost, sizeof(localhost) - 1) == 0 &&
	       (len == sizeof(localhost) - 1 || host[-1] == '.');
}

static void tell_localhost(int family, lookup_fn *done, void *context)
{
	union address address;

	if (family == AF_INET6)
		address_from_bytes(&address, AF_INET6, &in6addr_loopback, 0);
	else
		address_from_bytes(&address, AF_INET, &(struct in_addr){htonl(INADDR_LOOPBACK)}, 0);
	done(context, family, CAUSE_NONE, &address, 1);
}

struct lookup *resolver_start(struct resolver *resolver, const char *host, int family,
			      const union address *client, const struct link_picker *links,
			      lookup_fn *done, void *context)
{
	struct lookup *lookup;
	struct name *name;

	if (is_localhost(host)) {
		tell_localhost(family, done, context);
		return NULL;
	}
	(void)follow_resolv_conf(resolver);
	name = list_find(&resolver->failed, host, family, links);
	if (name) {
		done(context, family, name->cause, NULL, 0);
		return NULL;
	}
	name = list_find(&resolver->running, host, family, links);
	if (!name)
		name = list_find(&resolver->waiting, host, family, links);
	if (!name)
		name = name_new(resolver, host, family, client, links);
	lookup = name ? malloc(sizeof(*lookup)) : NULL;
	if (!lookup) {
		if (name && !name->lookups)
			name_free(name->list, name);
		done(context, family, CAUSE_RESOURCES, NULL, 0);
		return NULL;
	}
	*lookup = (struct lookup){.name = name,
				  .done = done,
				  .context = context,
				  .next = name->lookups,
				  .link = &name->lookups};
	if (lookup->next)
		lookup->next->link = &lookup->next;
	name->lookups = lookup;
	start_waiting(resolver);
	return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
	struct name *name = lookup->name;
	struct resolver *resolver = name->resolver;

	*lookup->link = lookup->next;
	if (lookup->next)
		lookup->next->link = lookup->link;
	free(lookup);
	/* What is not asked for any more is about to be told, or has failed. */
	if (name->lookups || has_failed(name) || !name->list)
		return;
	name_free(name->list, name);
	start_waiting(resolver);
}

struct resolver *resolver_open(struct ev_loop *loop, uint32_t questions_max)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return NULL;
	resolver->loop = loop;
	resolver->questions_max = questions_max;
	list_init(&resolver->waiting);
	list_init(&resolver->running);
	list_init(&resolver->failed);
	resolver->asker = name_asker_open(loop);
	if (!resolver->asker) {
		free(resolver);
		return NULL;
	}
	ev_timer_init(&resolver->look, on_look, 0., LOOK_S);
	resolver->look.data = resolver;
	return resolver;
}

void resolver_close(struct resolver *resolver)
{
	if (!resolver)
		return;
	ev_timer_stop(resolver->loop, &resolver->look);
	while (resolver->failed.first)
		name_free(&resolver->failed, resolver->failed.first);
	name_asker_close(resolver->asker);
	free(resolver);
}
