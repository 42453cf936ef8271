/* SPDX-License-Identifier: GPL-2.0-or-later */
/* At every event the kernel is asked for the whole picture again, so that no event that was lost or
 * misread leaves a trace; what follows from it is set up and told. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "links/link_portals.h"
#include "links/link_probe.h"
#include "links/link_quota.h"
#include "links/link_setup.h"
#include "links/links_private.h"

/* How long a link that is silent stays while the others are in doubt, and how often to look. */
#define SPARED_MAX_S  1.5
#define SPARED_LOOK_S 0.03

/* Where a client that goes to log in is to be led. */
static void open_doors(const struct links *links, struct link_choices *choices)
{
	for (size_t i = 0; i < links->count; i++) {
		const struct link *link = &links->links[i];
		const struct link_portal *portal = link_portals_get(links->portals, link);

		if (portal)
			link_choices_open_door(choices, link, &portal->at);
	}
}

void links_choose(struct links *links)
{
	struct link_choices choices = {0};

	if (links->setup)
		link_choices_make(&choices, links->links, links->count,
				  link_probes_news(links->probes));
	open_doors(links, &choices);
	if (link_choices_same(&choices, &links->choices))
		return;
	links->choices = choices;
	links->changed(links->context, &choices);
}

/* Of a mesh, whose daemon leads packets from an address another way. */
static bool has_moved(const struct link *link, const struct link *before, enum ip_family family)
{
	return link->from.bits > 0 &&
	       (link->device != before->device ||
		!address_same_ip(&link->paths[family].gateway, &before->paths[family].gateway));
}

/* Nothing has come by it for a while, whether it was in use, as no other link was better, or had no
 * way out. */
static bool is_deaf(const struct links *links, const struct link *link, enum ip_family family)
{
	return !link->paths[family].works || link->paths[family].deaf ||
	       link_probes_silent(links->probes, link, family);
}

static void find_deaf(const struct links *links, bool deaf[LINKS_MAX][IP_FAMILIES])
{
	for (size_t i = 0; i < links->count; i++)
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			deaf[i][family] = is_deaf(links, &links->links[i], family);
}

/* Of a mesh, until something comes back, also by another way. */
static void note_deaf(struct links *links, const bool was_deaf[LINKS_MAX][IP_FAMILIES])
{
	for (size_t i = 0; i < links->count; i++) {
		struct link *link = &links->links[i];

		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			link->paths[family].deaf =
				link->from.bits > 0 && link->paths[family].works &&
				(link_probes_silent(links->probes, link, family) ||
				 (was_deaf[i][family] &&
				  !link_probes_heard(links->probes, link, family)));
	}
}

/* Who stands is only made to join anew where it is known that a join arrives: a modem answers
 * before its line is up. */
static void note_moved(struct links *links, const struct link *before,
		       const bool was_deaf[LINKS_MAX][IP_FAMILIES])
{
	for (size_t i = 0; i < links->count * IP_FAMILIES; i++) {
		const struct link *link = &links->links[i / IP_FAMILIES];
		const struct link *earlier = &before[i / IP_FAMILIES];
		const enum ip_family family = (enum ip_family)(i % IP_FAMILIES);
		const union address *address = &link->paths[family].address;
		const bool was = was_deaf[i / IP_FAMILIES][family];
		double exit_s;

		if (!earlier->device || is_deaf(links, link, family))
			continue;
		exit_s = link_probes_exit_s(links->probes, link, family);
		link_setup_answer(links->setup, address, exit_s);
		if (was || has_moved(link, earlier, family))
			link_setup_moved(links->setup, address, was && exit_s > 0);
	}
}

/* wait_s below 0: nobody waits. */
static void look_soon(struct links *links, double wait_s)
{
	if (links->spared_s > 0 && (wait_s < 0 || wait_s > SPARED_LOOK_S))
		wait_s = SPARED_LOOK_S;
	ev_timer_stop(links->loop, &links->hurry);
	if (wait_s < 0)
		return;
	ev_timer_set(&links->hurry, wait_s, 0.);
	ev_timer_start(links->loop, &links->hurry);
}

static void set_up(struct links *links, const struct net_view *view)
{
	int err;

	if (!links->setup)
		return;
	link_setup_meet(links->setup, links->config->exits, links->config->exit_count);
	err = link_setup_apply(links->setup, view, links->links, links->count);
	look_soon(links, err ? -1 : link_setup_wait_s(links->setup));
	link_upkeep_note(&links->upkeep, links->setup, err);
	if (err == -EPERM) {
		links_only_look(links, "no CAP_NET_ADMIN");
	} else if (err) {
		/* An interface that has gone meanwhile, as a rule: that has an event of its own. */
		log_debug("links: cannot set up: %s; again in %g s", strerror(-err), RETRY_S);
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
		const enum link_state state = links->links[i].state;

		/* As good as silent, to who has the same address. */
		if (state == LINK_STATE_QUOTA || state == LINK_STATE_PORTAL)
			silent[i][IP_V4] = silent[i][IP_V6] = true;
		link_find_paths(&links->links[i], view, clock_monotonic_s(), &again);
	}
	links_share_addresses(links->links, links->count, silent);
	return again;
}

/* Of a mesh, the first to be found silent, of several that lead by one neighbour or to one exit, is
 * not ended for the others, which are next. Those that are not in use any more are not spared. */
static bool spare(const struct links *links, const struct link *before, enum ip_family family,
		  bool silent[LINKS_MAX][IP_FAMILIES])
{
	bool doubtful = false;
	bool any = false;

	for (size_t i = 0; i < links->count; i++) {
		const struct link *link = &links->links[i];

		if (!link->paths[family].works || silent[i][family])
			continue;
		if (!link_probes_in_doubt(links->probes, link, family))
			return false;
		doubtful = true;
	}
	for (size_t i = 0; doubtful && i < links->count; i++) {
		if (links->links[i].from.bits == 0 || !before[i].paths[family].works)
			continue;
		any = any || silent[i][family];
		silent[i][family] = false;
	}
	return any;
}

/* Who looks on only takes nothing out. */
static void take_out_silent(struct links *links, const struct link *before,
			    const bool was_deaf[LINKS_MAX][IP_FAMILIES])
{
	const double now_s = clock_monotonic_s();
	bool silent[LINKS_MAX][IP_FAMILIES] = {0};
	bool spared = false;

	link_probes_follow(links->probes, links->links, links->setup ? links->count : 0);
	find_silent(links, silent);
	note_deaf(links, was_deaf);
	for (enum ip_family family = 0; family < IP_FAMILIES; family++)
		if (links->spared_s == 0 || now_s - links->spared_s < SPARED_MAX_S)
			spared = spare(links, before, family, silent) || spared;
	if (!spared)
		links->spared_s = 0;
	else if (links->spared_s == 0)
		links->spared_s = now_s;
	links_take_out(links->links, links->count, silent);
}

static void mark_portals(struct links *links)
{
	link_portals_follow(links->portals, links->links, links->setup ? links->count : 0);
	link_portals_mark(links->portals, links->links, links->count);
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
		log_warning("links: %s is left out: there are %d links already, and hawserd "
			    "manages no more",
			    left_out, LINKS_MAX);
	snprintf(links->left_out, sizeof(links->left_out), "%s", left_out ? left_out : "");
}

static void tell(struct links *links, const struct link *link)
{
	struct link_told *told =
		link_told_of(links->told, link->config.name, links->links, links->count);

	link_tell_state(links->on_event, told, link);
	link_tell_portal(links->on_event, told, link, link_portals_get(links->portals, link));
}

void links_sync(struct links *links)
{
	struct link before[LINKS_MAX];
	bool was_deaf[LINKS_MAX][IP_FAMILIES] = {0};
	struct net_view view;
	int err = net_view_load(&view, links->netlink);
	bool again = false;

	ev_timer_stop(links->loop, &links->retry);
	if (err) {
		log_warning("links: cannot read interfaces and routes: %s; again in %g s",
			    strerror(-err), RETRY_S);
		ev_timer_again(links->loop, &links->retry);
		goto out;
	}
	collect(links, &view);
	memcpy(before, links->links, sizeof(before));
	find_deaf(links, was_deaf);
	do {
		again = find_paths(links, &view) || again;
		if (links->setup)
			link_quota_mark(links->metered, links->links, links->count);
		mark_portals(links);
		take_out_silent(links, before, was_deaf);
	} while (links->setup && link_quota_reconsider(links->metered, clock_monotonic_s(),
						       links->links, links->count));
	if (links->setup)
		link_demotion_mark(&links->demotion, links->links, links->count);
	for (size_t i = 0; i < links->count; i++)
		link_history_note(&links->history, &links->links[i], &before[i]);
	if (again)
		ev_timer_again(links->loop, &links->retry);
	if (links->setup)
		note_moved(links, before, was_deaf);
	set_up(links, &view);
	links_choose(links);
	for (size_t i = 0; i < links->count; i++)
		tell(links, &links->links[i]);
out:
	net_view_free(&view);
}
