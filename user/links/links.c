/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The links of this host. At every event the kernel is asked for the whole picture again, so that
 * no event that was lost or misread leaves a trace. */
#include "links/links.h"

#include <errno.h>
#include <ev.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "links/exit_reach.h"
#include "links/link_demotion.h"
#include "links/link_events.h"
#include "links/link_history.h"
#include "links/link_journal.h"
#include "links/link_probe.h"
#include "links/link_quota.h"
#include "links/link_setup.h"
#include "links/link_upkeep.h"
#include "net/netlink.h"
#include "net/way.h"
#include "shared/exit_state.h"

/* After the kernel could not be asked or changed. */
#define RETRY_S 1.
/* While another hawserd manages them. */
#define TAKEOVER_S 0.25
/* How often the interfaces' counters are read. */
#define METER_S 1.

struct links {
	struct ev_loop *loop;
	const struct config *config;
	struct netlink *netlink;
	struct link_events *events;
	ev_timer retry;
	ev_timer takeover;
	struct link_setup *setup; /* NULL: only looked at */
	struct link_probes *probes;
	struct link_quota *metered;
	struct link_demotion demotion;
	char reason[96];
	struct link_upkeep upkeep;
	struct link links[LINKS_MAX];
	struct link_rates meters[LINKS_MAX]; /* parallel to links */
	size_t count;
	char left_out[IF_NAMESIZE]; /* that was told of */
	ev_timer meter;
	struct link_history history;
	struct link_choices choices;
	links_changed_fn *changed;
	void *context;
};

static void choose(struct links *links)
{
	struct link_choices choices = {0};

	if (links->setup)
		link_choices_make(&choices, links->links, links->count,
				  link_probes_news(links->probes));
	if (link_choices_same(&choices, &links->choices))
		return;
	links->choices = choices;
	links->changed(links->context, &choices);
}

/* From now on links are only looked at. */
static void only_look(struct links *links, const char *reason)
{
	snprintf(links->reason, sizeof(links->reason), "%s", reason);
	log_warning("links: figures only, nothing is set up: %s", reason);
	link_setup_close(links->setup);
	links->setup = NULL;
}

static void set_up(struct links *links, const struct net_view *view)
{
	int err;

	if (!links->setup)
		return;
	err = link_setup_apply(links->setup, view, links->links, links->count);
	link_upkeep_note(&links->upkeep, link_setup_restored(links->setup),
			 err == -EPERM ? 0 : err);
	if (err == -EPERM) {
		only_look(links, "no CAP_NET_ADMIN");
	} else if (err) {
		/* An interface that has gone meanwhile, as a rule: that has an event of its own. */
		log_debug("links: set-up: %s; again in %g s", strerror(-err), RETRY_S);
		ev_timer_again(links->loop, &links->retry);
	}
}

static void find_silent(const struct links *links, bool silent[LINKS_MAX][IP_FAMILIES])
{
	for (size_t i = 0; i < links->count; i++)
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			silent[i][family] =
				link_probes_silent(links->probes, &links->links[i], family);
}

/* Returns whether to look again after LINK_WITHDRAWN_S. */
static bool find_paths(struct links *links, const struct net_view *view)
{
	bool silent[LINKS_MAX][IP_FAMILIES] = {0};
	bool again = false;

	find_silent(links, silent);
	for (size_t i = 0; i < links->count; i++) {
		/* As good as silent, to who has the same address. */
		silent[i][IP_V4] |= links->links[i].state == LINK_STATE_QUOTA;
		silent[i][IP_V6] |= links->links[i].state == LINK_STATE_QUOTA;
		link_find_paths(&links->links[i], view, clock_monotonic_s(), &again);
	}
	links_share_addresses(links->links, links->count, silent);
	return again;
}

/* Who looks on only takes nothing out. */
static void take_out_silent(struct links *links)
{
	bool silent[LINKS_MAX][IP_FAMILIES] = {0};

	link_probes_follow(links->probes, links->links, links->setup ? links->count : 0);
	find_silent(links, silent);
	links_take_out(links->links, links->count, silent);
}

/* Found by themselves, and their interfaces have gone. */
static void forget_gone(struct links *links)
{
	const bool crowded = links->count == LINKS_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < links->count; i++) {
		if (link_is_over(&links->links[i], crowded, clock_monotonic_s()))
			continue;
		links->meters[kept] = links->meters[i];
		links->links[kept++] = links->links[i];
	}
	memset(&links->meters[kept], 0, sizeof(links->meters[0]) * (links->count - kept));
	links->count = kept;
}

static void collect(struct links *links, struct net_view *view)
{
	const char *left_out;

	forget_gone(links);
	links_obey_vpn(&links->config->links, view);
	left_out = links_collect(&links->config->links, view, links->links, &links->count);
	if (left_out && strcmp(left_out, links->left_out) != 0)
		log_warning(
			"links: no room for %s: there are %d already, which is what is possible",
			left_out, LINKS_MAX);
	snprintf(links->left_out, sizeof(links->left_out), "%s", left_out ? left_out : "");
}

static void sync_links(struct links *links)
{
	struct link before[LINKS_MAX];
	struct net_view view;
	int err = net_view_load(&view, links->netlink);
	bool again = false;

	ev_timer_stop(links->loop, &links->retry);
	if (err) {
		log_warning("links: the kernel does not tell about them: %s; again in %g s",
			    strerror(-err), RETRY_S);
		ev_timer_again(links->loop, &links->retry);
		goto out;
	}
	collect(links, &view);
	memcpy(before, links->links, sizeof(before));
	do {
		again = find_paths(links, &view) || again;
		if (links->setup)
			link_quota_mark(links->metered, links->links, links->count);
		take_out_silent(links);
	} while (links->setup && link_quota_reconsider(links->metered, clock_monotonic_s(),
						       links->links, links->count));
	if (links->setup)
		link_demotion_mark(&links->demotion, links->links, links->count);
	for (size_t i = 0; i < links->count; i++)
		link_history_note(&links->history, &links->links[i], &before[i]);
	if (again)
		ev_timer_again(links->loop, &links->retry);
	set_up(links, &view);
	choose(links);
out:
	net_view_free(&view);
}

/* Those that are used first; one that a route of its own leads to is not reached by links. */
static size_t find_exits(const struct links *links, struct exit_target targets[EXIT_TARGETS_MAX])
{
	const struct config *config = links->config;
	uint32_t first = UINT32_MAX;
	size_t count = 0;

	for (size_t i = 0; i < config->exit_count; i++)
		if (config->exits[i].priority < first)
			first = config->exits[i].priority;
	for (size_t i = 0; i < config->exit_count; i++) {
		const struct exit_config *exit = &config->exits[i];
		union address known[EXIT_ADDRESSES_MAX];
		size_t known_count = exit_state_get_addresses(exit->state, known);

		for (size_t j = 0; j < known_count && exit->priority == first; j++) {
			if (count == EXIT_TARGETS_MAX || address_is_loopback(&known[j]) ||
			    route_find_default(links->netlink, &known[j]) < 0)
				continue;
			address_set_port(&known[j], exit->destination.port);
			targets[count++] =
				(struct exit_target){.exit = exit->state, .address = known[j]};
		}
	}
	return count;
}

/* Where sessions go is what links are asked for. */
static void aim_probes(struct links *links)
{
	struct exit_target targets[EXIT_TARGETS_MAX];
	const size_t count = links->setup ? find_exits(links, targets) : 0;

	link_probes_target(links->probes, targets, count, links->config->exit_probe_s);
}

static void take_counters(struct links *links, size_t index, const struct net_view *view)
{
	const struct link_config *config = &links->links[index].config;
	const struct net_device *device = net_view_device(view, config->device);
	struct link_bytes counters;

	if (!device)
		return;
	counters = (struct link_bytes){.rx = device->rx_bytes, .tx = device->tx_bytes};
	link_rates_take(&links->meters[index], clock_monotonic_s(), device->index, &counters);
	link_quota_take(links->metered, config, time(NULL), device->index, &counters);
}

/* Whether links are to be marked otherwise than they are. */
static bool look_for_demotion(struct links *links)
{
	struct link_news *news = link_probes_news(links->probes);
	struct link_sight sights[LINKS_MAX];

	for (size_t i = 0; i < links->count; i++) {
		const struct link *link = &links->links[i];
		const struct link_bytes rate = link_rates_rate(&links->meters[i], LINK_SPAN_SECOND);

		sights[i] = (struct link_sight){
			.rate = (double)(rate.rx + rate.tx),
			.rtt_us = atomic_exchange(&news->rtt_us[link_slot(link->table)], 0),
			.ping_us = link_probes_echo_us(links->probes, link)};
	}
	return link_demotion_look(&links->demotion, clock_monotonic_s(), links->links, sights,
				  links->count);
}

static void on_meter(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct links *links = timer->data;
	struct net_view view = {0};
	bool changed = false;

	(void)loop;
	(void)events;
	if (net_view_load_devices(&view, links->netlink) == 0)
		for (size_t i = 0; i < links->count; i++)
			take_counters(links, i, &view);
	net_view_free(&view);
	aim_probes(links);
	for (size_t i = 0; i < links->count; i++)
		changed = changed || link_is_over(&links->links[i], false, clock_monotonic_s());
	if (links->setup) {
		changed = link_quota_changed(links->metered, clock_monotonic_s(), links->links,
					     links->meters, links->count) ||
			  changed;
		changed = look_for_demotion(links) || changed;
		changed = link_setup_is_disturbed(links->setup) || changed;
	}
	if (changed)
		sync_links(links);
}

static void on_changed(void *context)
{
	sync_links(context);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	sync_links(timer->data);
}

static void on_shaken(void *context, int device)
{
	struct links *links = context;

	for (size_t i = 0; i < links->count; i++)
		if (links->links[i].device == device)
			links->links[i].shaken = true;
}

/* What a hawserd that was killed has left, where now there is nothing to set up. */
static void clean_up(void)
{
	struct netlink *netlink;

	if (!link_journal_left())
		return;
	netlink = netlink_open(NETLINK_ROUTE);
	if (netlink)
		link_setup_close(link_setup_open(netlink));
	netlink_close(netlink);
}

/* A hawserd that drains ends after its last session. */
static void on_takeover(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct links *links = timer->data;

	(void)events;
	links->setup = link_setup_open(links->netlink);
	if (!links->setup && errno == EWOULDBLOCK)
		return;
	ev_timer_stop(loop, timer);
	if (!links->setup) {
		only_look(links, strerror(errno));
		return;
	}
	log_info("links: the other hawserd has let go of them");
	links->reason[0] = '\0';
	sync_links(links);
	aim_probes(links);
}

/* Takes hold of what may be set up. */
static void begin_setup(struct links *links)
{
	ev_timer_stop(links->loop, &links->takeover);
	links->reason[0] = '\0';
	if (links->config->links.mode == LINKS_MANUAL) {
		snprintf(links->reason, sizeof(links->reason), "links = manual");
		clean_up();
		return;
	}
	links->setup = link_setup_open(links->netlink);
	if (!links->setup && errno == EWOULDBLOCK) {
		only_look(links, "another hawserd manages them");
		ev_timer_again(links->loop, &links->takeover);
	} else if (!links->setup) {
		only_look(links, strerror(errno));
	}
}

static void end(struct links *links)
{
	ev_timer_stop(links->loop, &links->retry);
	ev_timer_stop(links->loop, &links->meter);
	ev_timer_stop(links->loop, &links->takeover);
	link_events_close(links->events);
	links->events = NULL;
	link_setup_close(links->setup);
	netlink_close(links->netlink);
	links->setup = NULL;
	links->netlink = NULL;
	links->count = 0;
	link_probes_follow(links->probes, NULL, 0);
	memset(links->meters, 0, sizeof(links->meters));
	links->demotion = (struct link_demotion){0};
	links->reason[0] = '\0';
	links->upkeep.fault[0] = '\0';
}

static int begin(struct links *links)
{
	const struct link_events_listener listener = {
		.shaken = on_shaken, .changed = on_changed, .context = links};
	int err;

	if (links->netlink)
		return 0;
	links->netlink = netlink_open(NETLINK_ROUTE);
	if (!links->netlink)
		return -errno;
	/* Before the first look, so that nothing falls in between. */
	links->events = link_events_open(links->loop, &listener);
	if (links->events) {
		ev_timer_again(links->loop, &links->meter);
		return 0;
	}
	err = -errno;
	end(links);
	return err;
}

/* Those that the new configuration does not have, or has otherwise. */
static void forget_changed(struct links *links)
{
	const struct links_config *config = &links->config->links;
	size_t kept = 0;

	for (size_t i = 0; i < links->count; i++) {
		struct link *link = &links->links[i];
		bool keep = link->automatic && config->mode == LINKS_AUTO;

		for (size_t j = 0; j < config->count; j++) {
			if (strcmp(config->link[j].device, link->config.device) != 0)
				continue;
			link->config = config->link[j];
			link->automatic = false;
			keep = true;
		}
		if (!keep)
			continue;
		links->meters[kept] = links->meters[i];
		links->links[kept++] = *link;
	}
	links->count = kept;
	memset(&links->meters[kept], 0, sizeof(links->meters[0]) * (LINKS_MAX - kept));
}

void links_configure(struct links *links, const struct config *config)
{
	const struct config *old = links->config;
	int err;

	links->config = config_get(config);
	link_quota_follow(links->metered, &config->links, config->state_dir);
	if (!links_are_wanted(&config->links)) {
		end(links);
		clean_up();
	} else if ((err = begin(links))) {
		log_warning("links: the kernel does not tell about them: %s", strerror(-err));
		snprintf(links->reason, sizeof(links->reason), "%s", strerror(-err));
	} else {
		if (config->links.mode == LINKS_MANUAL) {
			link_setup_close(links->setup);
			links->setup = NULL;
		}
		if (!links->setup)
			begin_setup(links);
		forget_changed(links);
		sync_links(links);
		aim_probes(links);
	}
	choose(links);
	config_put(old);
}

struct links *links_open(struct ev_loop *loop, const struct config *config,
			 links_changed_fn *changed, void *context)
{
	struct links *links = calloc(1, sizeof(*links));
	ev_timer *retry;
	ev_timer *meter;
	ev_timer *takeover;

	if (!links)
		return NULL;
	links->loop = loop;
	links->changed = changed;
	links->context = context;
	links->probes = link_probes_open(loop, on_changed, links);
	links->metered = link_quota_open();
	if (!links->probes || !links->metered) {
		link_probes_close(links->probes);
		link_quota_close(links->metered);
		free(links);
		return NULL;
	}
	retry = &links->retry;
	ev_timer_init(retry, on_retry, 0., RETRY_S);
	retry->data = links;
	meter = &links->meter;
	ev_timer_init(meter, on_meter, 0., METER_S);
	meter->data = links;
	takeover = &links->takeover;
	ev_timer_init(takeover, on_takeover, 0., TAKEOVER_S);
	takeover->data = links;
	links_configure(links, config);
	return links;
}

void links_close(struct links *links)
{
	if (!links)
		return;
	end(links);
	link_probes_close(links->probes);
	link_quota_close(links->metered);
	config_put(links->config);
	free(links);
}

const struct link *links_list(const struct links *links, size_t *count)
{
	*count = links->count;
	return links->links;
}

const char *links_reason(const struct links *links)
{
	return links->reason;
}

const struct link_upkeep *links_upkeep(const struct links *links)
{
	return &links->upkeep;
}

const struct link_rates *links_meter(const struct links *links, size_t index)
{
	return &links->meters[index];
}

const struct quota_usage *links_usage(const struct links *links, size_t index)
{
	return link_quota_usage(links->metered, links->links[index].config.name);
}

const struct link_event *links_event(const struct links *links, size_t index)
{
	return link_history_get(&links->history, index);
}

const struct link *links_find(const struct links *links, const union address *address)
{
	for (size_t i = 0; links && i < links->count; i++)
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			if (!links->links[i].paths[family].taken &&
			    address_same_ip(&links->links[i].paths[family].address, address))
				return &links->links[i];
	return NULL;
}
