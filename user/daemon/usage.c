/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/usage.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/worker.h"
#include "history/history_file.h"
#include "links/links.h"
#include "net/neighbours.h"
#include "session/tally.h"

#define GATHER_S 60.
/* make HISTORY_WRITE_S=…, for flash; what a power cut can take. */
#ifndef HISTORY_WRITE_S
#define HISTORY_WRITE_S 1800
#endif
/* Another hawserd that writes takes so long at most, or hangs. */
#define WRITE_WAIT_S   2.
#define WRITE_AGAIN_US 5000

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
	struct history *unwritten; /* what the file lacks; NULL: off */
	struct history *shown;	   /* the last answer */
	int fault;		   /* errno of the last write or read */
	bool changed;		   /* something is unwritten */
	double written_s;
	struct meter meters[LINKS_MAX];
	size_t meter_count;
};

static void note_fault(struct usage *usage, int fault)
{
	if (fault && fault != usage->fault)
		log_warning("history: %s: %s; what was used is known until hawserd stops",
			    usage->config->state_dir, strerror(fault));
	usage->fault = fault;
}

static void add(struct usage *usage, enum history_kind kind, const char *name, const char *address,
		struct history_time now, struct history_bytes bytes)
{
	if (!usage->unwritten || (bytes.up == 0 && bytes.down == 0))
		return;
	if (history_add(usage->unwritten, kind, name, address, now, bytes))
		log_error("history: %s", strerror(ENOMEM));
	usage->changed = true;
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

/* False: another hawserd writes just now. */
static bool try_write(struct usage *usage)
{
	struct history *none;
	int err;

	if (!usage->changed)
		return true;
	none = history_new();
	err = none ? history_file_add(usage->config->state_dir, usage->unwritten) : -ENOMEM;
	if (err) {
		history_free(none);
	} else {
		history_free(usage->unwritten);
		usage->unwritten = none;
		usage->changed = false;
	}
	if (err == -EWOULDBLOCK)
		return false;
	note_fault(usage, -err);
	usage->written_s = clock_monotonic_s();
	return true;
}

static void write_now(struct usage *usage)
{
	const double give_up_s = clock_monotonic_s() + WRITE_WAIT_S;

	while (!try_write(usage)) {
		if (clock_monotonic_s() >= give_up_s) {
			note_fault(usage, EWOULDBLOCK);
			return;
		}
		usleep(WRITE_AGAIN_US);
	}
}

static void on_gather(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct usage *usage = timer->data;

	(void)loop;
	(void)events;
	gather(usage);
	if (clock_monotonic_s() - usage->written_s >= HISTORY_WRITE_S)
		(void)try_write(usage);
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
	if (!usage->unwritten)
		return;
	ev_timer_stop(usage->loop, &usage->gather);
	usage_write(usage);
	history_free(usage->unwritten);
	history_free(usage->shown);
	usage->unwritten = NULL;
	usage->shown = NULL;
	usage->changed = false;
	usage->fault = 0;
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
	usage->unwritten = history_new();
	if (!usage->unwritten) {
		log_error("history: %s", strerror(ENOMEM));
		return;
	}
	note_fault(usage, -history_file_check(usage->config->state_dir));
	usage->written_s = clock_monotonic_s();
	ev_timer_again(usage->loop, &usage->gather);
}

void usage_configure(struct usage *usage, const struct config *config)
{
	const struct config *old = usage->config;

	if (old && (!config->history || strcmp(old->state_dir, config->state_dir) != 0))
		end(usage);
	usage->config = config;
	if (config->history && !usage->unwritten)
		begin(usage);
	else if (usage->unwritten)
		gather(usage);
}

void usage_write(struct usage *usage)
{
	if (!usage->unwritten)
		return;
	gather(usage);
	write_now(usage);
}

const struct history *usage_history(struct usage *usage)
{
	int err;

	if (usage->unwritten)
		gather(usage);
	history_free(usage->shown);
	usage->shown = usage->unwritten ? history_new() : NULL;
	if (!usage->shown)
		return NULL;
	err = history_file_read(usage->config->state_dir, usage->shown);
	if (err)
		note_fault(usage, -err);
	if (history_merge(usage->shown, usage->unwritten))
		log_error("history: %s", strerror(ENOMEM));
	return usage->shown;
}

const char *usage_fault(const struct usage *usage)
{
	return usage->fault ? strerror(usage->fault) : "";
}
