/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "links/link_tell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "links/link_portals.h"
#include "links/portal_door.h"
#include "on_event/on_event.h"

#define NUMBER_TEXT_MAX 24
#define LINE_MAX_BYTES	256
#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

static enum link_tale tale_of(const struct link *link, enum link_tale before)
{
	switch (link->state) {
	case LINK_STATE_UP:
	case LINK_STATE_STANDBY:
		return LINK_TOLD_UP;
	case LINK_STATE_TRIAL:
		return before;
	case LINK_STATE_DEMOTED:
		return LINK_TOLD_DEMOTED;
	default:
		return LINK_TOLD_DOWN;
	}
}

static const char *const state_events[] = {[LINK_TOLD_UP] = "link-up",
					   [LINK_TOLD_DOWN] = "link-down",
					   [LINK_TOLD_DEMOTED] = "link-demoted"};

bool link_tell_is_state(const char *event)
{
	for (size_t i = 0; i < COUNT(state_events); i++)
		if (strcmp(state_events[i], event) == 0)
			return true;
	return false;
}

static void tell(struct on_event *on_event, const struct link *link, enum link_tale tale,
		 const char *before)
{
	const char *state = link_state_name(link->state);
	char line[LINE_MAX_BYTES];
	const struct hook_value values[] = {{"LINK", link->config.name},
					    {"DEVICE", link->config.device},
					    {"STATE", state},
					    {"STATE_BEFORE", before},
					    {"TEXT", line}};

	snprintf(line, sizeof(line), "link %s (%s): %s", link->config.name, link->config.device,
		 state);
	on_event_tell(on_event, state_events[tale], values, COUNT(values));
}

static bool is_followed(const char *name, const struct link *links, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(links[i].config.name, name) == 0)
			return true;
	return false;
}

struct link_told *link_told_of(struct link_told told[LINKS_MAX], const char *name,
			       const struct link *links, size_t count)
{
	struct link_told *free_one = NULL;

	for (size_t i = 0; i < LINKS_MAX; i++) {
		if (strcmp(told[i].name, name) == 0)
			return &told[i];
		/* One that nobody has had goes first, so that who left is remembered. */
		if (!*told[i].name ? !free_one || *free_one->name
				   : !free_one && !is_followed(told[i].name, links, count))
			free_one = &told[i];
	}
	return free_one;
}

void link_tell_state(struct on_event *on_event, struct link_told *told, const struct link *link)
{
	const bool is_new = strcmp(told->name, link->config.name) != 0;
	enum link_tale tale;

	if (is_new && link->state == LINK_STATE_OFF)
		return;
	if (is_new)
		*told = (struct link_told){.state = LINK_STATE_UP};
	snprintf(told->name, sizeof(told->name), "%s", link->config.name);
	tale = tale_of(link, told->tale);
	if (tale != told->tale) {
		tell(on_event, link, tale, is_new ? "" : link_state_name(told->state));
		told->state = link->state;
		told->tale = tale;
	}
}

void link_tell_portal(struct on_event *on_event, struct link_told *told, const struct link *link,
		      const struct link_portal *portal)
{
	const char *state = link_state_name(link->state);
	char line[LINE_MAX_BYTES];
	char door[PORTAL_DOOR_URL_MAX] = "";
	const struct hook_value values[] = {{"LINK", link->config.name},
					    {"DEVICE", link->config.device},
					    {"STATE", state},
					    {"LOGIN", door},
					    {"PORTAL", portal ? portal->location : ""},
					    {"TEXT", line}};

	if (told->portal == (portal != NULL) || (portal && portal->at.sa.sa_family == AF_UNSPEC))
		return;
	told->portal = portal;
	if (portal) {
		portal_door_url(link_slot(link->table), door);
		snprintf(line, sizeof(line),
			 "link %s (%s) is behind a portal: log in by a browser at %s",
			 link->config.name, link->config.device, door);
	} else {
		snprintf(line, sizeof(line), "link %s (%s) is behind no portal any more: %s",
			 link->config.name, link->config.device, state);
	}
	on_event_tell(on_event, portal ? "portal-found" : "portal-gone", values, COUNT(values));
}

static void tell_quota(struct on_event *on_event, const struct link_config *link,
		       const struct quota_usage *usage, unsigned int percent)
{
	char number[NUMBER_TEXT_MAX], used[NUMBER_TEXT_MAX], quota[NUMBER_TEXT_MAX];
	char line[LINE_MAX_BYTES];
	const struct hook_value values[] = {{"LINK", link->name}, {"DEVICE", link->device},
					    {"PERCENT", number},  {"USED", used},
					    {"QUOTA", quota},	  {"SINCE", usage->month.since},
					    {"TEXT", line}};

	snprintf(number, sizeof(number), "%u", percent);
	snprintf(used, sizeof(used), "%" PRIu64, usage->month.bytes);
	snprintf(quota, sizeof(quota), "%" PRIu64, link->quota);
	snprintf(line, sizeof(line), "link %s (%s): %u %% of its quota of %.3g GB are used",
		 link->name, link->device, percent, (double)link->quota * 1e-9);
	on_event_tell(on_event, "link-quota", values, COUNT(values));
}

void link_tell_quota(struct on_event *on_event, const struct link_config *link,
		     const struct quota_usage *before, const struct quota_usage *after)
{
	static const unsigned int levels[] = {80, 100};
	const bool same = before && strcmp(before->month.since, after->month.since) == 0;
	const double was = same ? (double)before->month.bytes : 0;

	for (size_t i = 0; i < COUNT(levels); i++) {
		const double level = (double)link->quota * levels[i] / 100;

		if (was < level && (double)after->month.bytes >= level)
			tell_quota(on_event, link, after, levels[i]);
	}
}
