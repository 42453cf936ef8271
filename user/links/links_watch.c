/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What no event tells of is looked at every second: the interfaces' counters, and what follows from
 * them, where the exits are, and whether the set-up still stands. */
#include "base/clock.h"
#include "config/config.h"
#include "links/exit_reach.h"
#include "links/link_portals.h"
#include "links/link_probe.h"
#include "links/link_quota.h"
#include "links/link_setup.h"
#include "links/links_private.h"
#include "net/way.h"
#include "shared/exit_state.h"

/* How often the interfaces' counters are read. */
#define METER_S 1.

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
			address_set_port(&known[j], exit->place.destination.port);
			targets[count++] =
				(struct exit_target){.exit = exit->state, .address = known[j]};
		}
	}
	return count;
}

void links_aim_probes(struct links *links)
{
	struct exit_target targets[EXIT_TARGETS_MAX];
	const size_t count = links->setup ? find_exits(links, targets) : 0;

	link_probes_target(links->probes, targets, count, links->config->exit_probe_s);
	link_portals_target(links->portals, targets, count);
}

static void take_quota(struct links *links, const struct link_config *config, int device,
		       const struct link_bytes *counters)
{
	const struct quota_usage *usage = link_quota_usage(links->metered, config->name);
	struct quota_usage before;

	if (!usage)
		return;
	before = *usage;
	link_quota_take(links->metered, config, time(NULL), device, counters);
	link_tell_quota(links->on_event, config, &before, usage);
}

static void take_counters(struct links *links, size_t index, const struct net_view *view)
{
	const struct link_config *config = &links->links[index].config;
	const struct net_device *device = net_view_device(view, config->device);
	struct link_bytes counters;

	if (!device)
		return;
	counters = (struct link_bytes){.rx = device->rx_bytes, .tx = device->tx_bytes};
	if (links->links[index].from.bits > 0)
		link_rates_move(&links->meters[index], device->index);
	link_rates_take(&links->meters[index], clock_monotonic_s(), device->index, &counters);
	take_quota(links, config, device->index, &counters);
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
			.awaited = atomic_exchange(&news->awaited[link_slot(link->table)], 0),
			.ping_us = link_probes_echo_us(links->probes, link)};
	}
	if (link_quota_is_tested(links->metered))
		return false;
	return link_demotion_look(&links->demotion, clock_monotonic_s(), links->links, sights,
				  links->count);
}

/* What may be a portal's doing, and whom it concerns. */
static void look_for_portals(struct links *links)
{
	struct link_news *news = link_probes_news(links->probes);
	uint32_t doubts = link_probes_take_doubts(links->probes);

	for (size_t i = 0; i < links->count; i++)
		if (links->links[i].state == LINK_STATE_NO_ANSWER)
			doubts |= 1U << link_slot(links->links[i].table);
	link_portals_doubt(links->portals, doubts);
	link_portals_guest(links->portals, atomic_exchange(&news->guests, 0));
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
	links_aim_probes(links);
	for (size_t i = 0; i < links->count; i++)
		changed = changed || link_is_over(&links->links[i], false, clock_monotonic_s());
	if (links->setup) {
		look_for_portals(links);
		changed = link_quota_changed(links->metered, clock_monotonic_s(), links->links,
					     links->meters, links->count) ||
			  changed;
		changed = look_for_demotion(links) || changed;
		changed = link_setup_is_disturbed(links->setup) ||
			  link_setup_is_due(links->setup) || changed;
	}
	if (changed)
		links_sync(links);
}

void links_init_watch(struct links *links)
{
	ev_timer_init(&links->meter, on_meter, 0., METER_S);
	links->meter.data = links;
}
