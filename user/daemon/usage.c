/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/usage.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/worker.h"
#include "history/history_store.h"
#include "links/links.h"
#include "net/neighbours.h"
#include "session/tally.h"

#define GATHER_S 60.
/* make HISTORY_WRITE_S=…, for flash; what a power cut can take. */
#ifndef HISTORY_WRITE_S
#define HISTORY_WRITE_S 1800
#endif

/* What was carried without an exit, where there are some. */
#define DIRECT "direct"

/* A link's meter, when it was read last. */
struct meter {
	char name[LINK_NAME_MAX + 1];
	struct link_bytes total;
};

struct usage {
	struct ev_loop *loop;
	struct worker *const *workers;
	size_t worker_count;
	const struct links *links;
	const struct config *config;
	ev_timer gather;
	struct history_store *store; /* NULL: off */
	struct meter meters[LINKS_MAX];
	size_t meter_count;
};

static void add(struct usage *usage, enum history_kind kind, const char *name, const char *address,
		struct history_time now, struct history_bytes bytes)
{
	if (usage->store)
		history_store_add(usage->store, kind, name, address, now, bytes);
}

/* Those of links that are there now, in place of the old ones. */
static void gather_links(struct usage *usage, struct history_time now)
{
	struct meter meters[LINKS_MAX] = {0};
	size_t count;
	const struct link *links = links_list(usage->links, &count);

	for (size_t i = 0; i < count; i++) {
		const struct link_bytes total = links_meter(usage->links, i)->total;
		struct link_bytes before = {0};

		memcpy(meters[i].name, links[i].config.name, sizeof(meters[i].name));
		meters[i].total = total;
		for (size_t j = 0; j < usage->meter_count; j++)
			if (strcmp(usage->meters[j].name, meters[i].name) == 0)
				before = usage->meters[j].total;
		/* It is another one that has the name now. */
		if (total.rx < before.rx || total.tx < before.tx)
			before = (struct link_bytes){0};
		add(usage, HISTORY_LINK, meters[i].name, NULL, now,
		    (struct history_bytes){.up = total.tx - before.tx,
					   .down = total.rx - before.rx});
	}
	memcpy(usage->meters, meters, sizeof(meters));
	usage->meter_count = count;
}

static void gather_client(struct usage *usage, const struct tally_client *client,
			  const struct neighbours *neighbours, struct history_time now)
{
	const struct history_bytes bytes = {.up = client->up, .down = client->down};
	char token[sizeof("token:") + TOKEN_NAME_MAX];
	char address[ADDRESS_TEXT_MAX] = "", mac[MAC_TEXT_MAX];
	const char *name = HISTORY_OTHERS;

	if (*client->token) {
		snprintf(token, sizeof(token), "token:%s", client->token);
		name = token;
	} else if (client->address.sa.sa_family != AF_UNSPEC) {
		address_format_ip(&client->address, address);
		name = neighbours_find(neighbours, &client->address, mac);
	}
	add(usage, HISTORY_CLIENT, name ? name : address, address, now, bytes);
}

static void gather_worker(struct usage *usage, struct worker *worker,
			  const struct neighbours *neighbours, struct history_time now)
{
	struct tally tally;

	worker_take_tally(worker, &tally);
	for (size_t i = 0; i < tally.client_count; i++)
		gather_client(usage, &tally.clients[i], neighbours, now);
	for (size_t i = 0; i < tally.exit_count; i++)
		if (*tally.exits[i].name || usage->config->exit_count > 0)
			add(usage, HISTORY_EXIT,
			    *tally.exits[i].name ? tally.exits[i].name : DIRECT, NULL, now,
			    (struct history_bytes){.up = tally.exits[i].up,
						   .down = tally.exits[i].down});
	tally_free(&tally);
}

static void gather(struct usage *usage)
{
	const struct history_time now = history_time_at(clock_calendar_ms());
	struct neighbours neighbours;

	gather_links(usage, now);
	(void)neighbours_load(&neighbours);
	for (size_t i = 0; i < usage->worker_count; i++)
		gather_worker(usage, usage->workers[i], &neighbours, now);
	neighbours_free(&neighbours);
}

static void on_gather(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct usage *usage = timer->data;

	(void)loop;
	(void)events;
	gather(usage);
	if (clock_monotonic_s() - history_store_written_s(usage->store) >= HISTORY_WRITE_S)
		history_store_write(usage->store);
}

struct usage *usage_open(struct ev_loop *loop, struct worker *const *workers, size_t worker_count,
			 const struct links *links)
{
	struct usage *usage = calloc(1, sizeof(*usage));
	ev_timer *timer;

	if (!usage)
		return NULL;
	usage->loop = loop;
	usage->workers = workers;
	usage->worker_count = worker_count;
	usage->links = links;
	timer = &usage->gather;
	ev_timer_init(timer, on_gather, GATHER_S, GATHER_S);
	timer->data = usage;
	return usage;
}

static void end(struct usage *usage)
{
	if (!usage->store)
		return;
	ev_timer_stop(usage->loop, &usage->gather);
	gather(usage);
	history_store_close(usage->store);
	usage->store = NULL;
}

void usage_close(struct usage *usage)
{
	if (!usage)
		return;
	end(usage);
	free(usage);
}

static void begin(struct usage *usage)
{
	/* What was carried while it was off counts for nothing. */
	gather(usage);
	usage->store = history_store_open(usage->loop, usage->config->state_dir);
	if (usage->store)
		ev_timer_again(usage->loop, &usage->gather);
	else
		log_error("history: %s", strerror(ENOMEM));
}

void usage_configure(struct usage *usage, const struct config *config)
{
	const struct config *old = usage->config;

	if (old && (!config->history || strcmp(old->state_dir, config->state_dir) != 0))
		end(usage);
	usage->config = config;
	if (config->history && !usage->store)
		begin(usage);
	else if (usage->store)
		gather(usage);
}

void usage_write(struct usage *usage)
{
	if (!usage->store)
		return;
	gather(usage);
	history_store_write(usage->store);
}

void usage_flush(struct usage *usage)
{
	if (!usage->store)
		return;
	gather(usage);
	history_store_flush(usage->store);
}

const struct history *usage_history(struct usage *usage)
{
	if (!usage->store)
		return NULL;
	gather(usage);
	return history_store_read(usage->store);
}

const char *usage_fault(const struct usage *usage)
{
	const int fault = usage->store ? history_store_fault(usage->store) : 0;

	return fault ? strerror(fault) : "";
}
