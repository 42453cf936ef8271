/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which links are followed, by the configuration that holds, and whether they may be set up. */
#include "links/links.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "links/left_behind.h"
#include "links/link_events.h"
#include "links/link_journal.h"
#include "links/link_portals.h"
#include "links/link_probe.h"
#include "links/link_quota.h"
#include "links/link_setup.h"
#include "links/links_private.h"
#include "net/netlink.h"

/* While another hawserd manages them: one that hands over does so at once, or never. */
#define TAKEOVER_S	  0.05
#define TAKEOVER_MAX_S	  0.25
#define TAKEOVER_SLOWDOWN 1.05
/* The same, where nothing waits for it. */
#define CLEAN_UP_S 1.

void links_only_look(struct links *links, const char *reason)
{
	snprintf(links->reason, sizeof(links->reason), "%s", reason);
	log_warning("links: counted, but not set up: %s", reason);
	link_setup_close(links->setup);
	links->setup = NULL;
}

static void on_changed(void *context)
{
	links_sync(context);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	links_sync(timer->data);
}

static void on_shaken(void *context, int device)
{
	struct links *links = context;

	for (size_t i = 0; i < links->count; i++)
		if (links->links[i].device == device)
			links->links[i].shaken = true;
	if (links->setup)
		link_setup_shaken(links->setup, device);
}

static bool are_to_be_set_up(const struct links *links)
{
	const struct links_config *config = &links->config->links;

	return links_are_wanted(config) && config->mode != LINKS_MANUAL;
}

/* What a hawserd that was killed, or hands over, has left, where now there is nothing to set up.
 * While another one has it, that may be about to hand over; to a third one, if that is there at the
 * next look. Sessions of one that drains still use it; not at our own end, as nobody comes after.
 */
static void clean_up(struct links *links, bool ends)
{
	const bool is_left = link_journal_left();
	const bool used = is_left && !ends && left_behind_others();
	struct netlink *netlink = is_left && !used ? netlink_open(NETLINK_ROUTE) : NULL;
	struct link_setup *left = netlink ? link_setup_open(netlink) : NULL;
	const bool held = used || (netlink && !left && errno == EWOULDBLOCK);
	/* One that has let go since the look above is seen now. */
	const bool stays = left && !ends && (links->held || left_behind_others());

	links->held = held;
	if (stays)
		link_setup_leave(left);
	else
		link_setup_close(left);
	netlink_close(netlink);
	links->takeover.repeat = CLEAN_UP_S;
	if (!held && !stays)
		ev_timer_stop(links->loop, &links->takeover);
	else if (!ev_is_active(&links->takeover))
		ev_timer_again(links->loop, &links->takeover);
}

/* Where an earlier hawserd has left a link alone, nothing begins before it is looked at again. */
static void recall_portals(struct links *links)
{
	size_t count;
	const union address *addresses = link_setup_portals(links->setup, &count);

	link_portals_remember(links->portals, addresses, count);
}

/* A hawserd that drains ends after its last session. */
static void on_takeover(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct links *links = timer->data;

	(void)events;
	if (!are_to_be_set_up(links)) {
		clean_up(links, false);
		return;
	}
	links->setup = link_setup_open(links->netlink);
	if (!links->setup && errno == EWOULDBLOCK) {
		if (timer->repeat < TAKEOVER_MAX_S)
			timer->repeat *= TAKEOVER_SLOWDOWN;
		return;
	}
	ev_timer_stop(loop, timer);
	if (!links->setup) {
		links_only_look(links, strerror(errno));
		return;
	}
	log_info("links: the other hawserd has released them");
	links->reason[0] = '\0';
	recall_portals(links);
	links_sync(links);
	links_aim_probes(links);
}

/* Takes hold of what may be set up. */
static void begin_setup(struct links *links)
{
	ev_timer_stop(links->loop, &links->takeover);
	links->reason[0] = links->upkeep.fault[0] = links->upkeep.crowded[0] = '\0';
	if (links->config->links.mode == LINKS_MANUAL) {
		snprintf(links->reason, sizeof(links->reason), "links = manual");
		clean_up(links, false);
		return;
	}
	links->setup = link_setup_open(links->netlink);
	if (!links->setup && errno == EWOULDBLOCK) {
		links_only_look(links, "another hawserd manages them");
		links->takeover.repeat = TAKEOVER_S;
		ev_timer_again(links->loop, &links->takeover);
	} else if (!links->setup) {
		links_only_look(links, strerror(errno));
	} else {
		recall_portals(links);
	}
}

/* It is not to be set up any more: clean_up() takes it back once nobody left behind uses it. */
static void release(struct links *links)
{
	if (left_behind_others())
		link_setup_leave(links->setup);
	else
		link_setup_close(links->setup);
	links->setup = NULL;
}

static void end(struct links *links)
{
	ev_timer_stop(links->loop, &links->retry);
	ev_timer_stop(links->loop, &links->hurry);
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
	link_portals_follow(links->portals, NULL, 0);
	memset(links->meters, 0, sizeof(links->meters));
	links->demotion = (struct link_demotion){0};
	links->reason[0] = '\0';
	links->upkeep.fault[0] = links->upkeep.crowded[0] = '\0';
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
			if (link->from.bits > 0 ||
			    strcmp(config->link[j].device, link->config.device) != 0)
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
	link_portals_configure(links->portals, &links->config->portal);
	if (!links_are_wanted(&config->links)) {
		release(links);
		end(links);
		clean_up(links, false);
	} else if ((err = begin(links))) {
		log_warning("links: cannot read interfaces and routes: %s", strerror(-err));
		snprintf(links->reason, sizeof(links->reason), "%s", strerror(-err));
	} else {
		if (config->links.mode == LINKS_MANUAL)
			release(links);
		if (!links->setup)
			begin_setup(links);
		forget_changed(links);
		links_sync(links);
		links_aim_probes(links);
	}
	links_choose(links);
	config_put(old);
}

struct links *links_open(struct ev_loop *loop, const struct config *config,
			 struct on_event *on_event, links_changed_fn *changed, void *context)
{
	struct links *links = calloc(1, sizeof(*links));

	if (!links)
		return NULL;
	links->loop = loop;
	links->on_event = on_event;
	links->changed = changed;
	links->context = context;
	links->probes = link_probes_open(loop, on_changed, links);
	links->portals = link_portals_open(loop, on_changed, links);
	links->metered = link_quota_open(loop);
	if (!links->probes || !links->portals || !links->metered) {
		link_probes_close(links->probes);
		link_portals_close(links->portals);
		link_quota_close(links->metered);
		free(links);
		return NULL;
	}
	ev_timer_init(&links->retry, on_retry, 0., RETRY_S);
	links->retry.data = links;
	ev_timer_init(&links->hurry, on_retry, 0., 0.);
	links->hurry.data = links;
	ev_timer_init(&links->takeover, on_takeover, 0., TAKEOVER_S);
	links->takeover.data = links;
	links_init_watch(links);
	links_configure(links, config);
	return links;
}

void links_leave(struct links *links)
{
	link_setup_leave(links->setup);
	links->setup = NULL;
	end(links);
	link_quota_close(links->metered);
	links->metered = NULL;
}

bool links_take_limit(struct links *links, uint32_t subflows)
{
	return links && links->setup && link_setup_take_limit(links->setup, subflows);
}

void links_test(struct links *links, bool goes_on)
{
	/* Not when they are another hawserd's. */
	if (!links || !links->metered)
		return;
	link_quota_test(links->metered, goes_on);
	/* It loads one link after the other, which no session does. */
	link_demotion_forget(&links->demotion);
	if (goes_on && links->netlink)
		links_sync(links);
}

void links_close(struct links *links)
{
	if (!links)
		return;
	if (ev_is_active(&links->takeover) && !are_to_be_set_up(links))
		clean_up(links, true);
	end(links);
	link_probes_close(links->probes);
	link_portals_close(links->portals);
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

const char *links_left_out(const struct links *links)
{
	return links->left_out;
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

const struct link_portal *links_portal(const struct links *links, size_t index)
{
	return link_portals_get(links->portals, &links->links[index]);
}

struct link_echoes links_echoes(const struct links *links, size_t index)
{
	return link_probes_echoes(links->probes, &links->links[index]);
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
