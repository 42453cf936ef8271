/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a speed test is to measure: which exit, which links. */
#include "speed/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "links/links.h"
#include "upstream/exit_dial.h"

/* One of those that sessions would take; where none is usable, it is asked all the same. */
static const struct exit_config *choose_exit(const struct config *config)
{
	size_t candidates[EXITS_MAX];
	const struct exit_config *best = NULL;

	if (exit_dial_candidates(config, 0, candidates) > 0)
		return &config->exits[candidates[0]];
	for (size_t i = 0; i < config->exit_count; i++)
		if (!best || config->exits[i].priority < best->priority)
			best = &config->exits[i];
	return best;
}

static const struct exit_config *find_exit(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->exit_count; i++)
		if (strcmp(config->exits[i].name, name) == 0)
			return &config->exits[i];
	return NULL;
}

static bool is_named(const struct speed_order *order, const char *name)
{
	for (size_t i = 0; i < order->name_count; i++)
		if (strcmp(order->names[i], name) == 0)
			return true;
	return false;
}

static const struct link_choice *find_choice(const struct link_choices *choices, const char *name)
{
	for (size_t i = 0; i < choices->count; i++)
		if (strcmp(choices->links[i].name, name) == 0)
			return &choices->links[i];
	return NULL;
}

/* NULL: it can be measured. */
static const char *why_not(const struct link *link, const struct link_choice *choice, bool named)
{
	if (link->config.role == LINK_ROLE_METERED && !named)
		return "metered: it is measured when it is named";
	if (link->state == LINK_STATE_QUOTA)
		return "its quota is used up";
	if (!choice || (choice->sources[IP_V4].sa.sa_family == AF_UNSPEC &&
			choice->sources[IP_V6].sa.sa_family == AF_UNSPEC))
		return link_state_name(link->state);
	return NULL;
}

static struct speed_row *add_row(struct speed_plan *plan, struct speed_result *result,
				 const char *name, const struct link_choice *choice)
{
	struct speed_row *row = &result->rows[result->count];
	struct speed_subject *subject = &plan->subjects[result->count++];

	*row = (struct speed_row){.together = !choice};
	snprintf(row->name, sizeof(row->name), "%s", name);
	*subject = (struct speed_subject){.together = !choice};
	if (choice)
		subject->link = *choice;
	return row;
}

/* How many of them can be measured. */
static size_t add_links(const struct speed_order *order, const struct link *links, size_t count,
			struct speed_plan *plan, struct speed_result *result)
{
	const struct link_choice none = {0};
	size_t good = 0;

	for (size_t i = 0; i < count; i++) {
		const char *name = links[i].config.name;
		const bool named = is_named(order, name);
		const struct link_choice *choice = find_choice(&plan->choices, name);
		const char *why = why_not(&links[i], choice, named);
		struct speed_row *row;

		if (!named && (order->name_count > 0 || links[i].config.role == LINK_ROLE_OFF))
			continue;
		row = add_row(plan, result, name, choice ? choice : &none);
		row->skipped = why != NULL;
		snprintf(row->said, sizeof(row->said), "%s", why ? why : "");
		good += !why;
	}
	return good;
}

static int check_names(const struct speed_order *order, const struct link *links, size_t count,
		       char said[SPEED_SAID_MAX])
{
	for (size_t i = 0; i < order->name_count; i++) {
		size_t at = 0, len;

		while (at < count && strcmp(links[at].config.name, order->names[i]) != 0)
			at++;
		if (at < count)
			continue;
		len = (size_t)snprintf(said, SPEED_SAID_MAX,
				       "there is no link \"%.40s\"; expected ", order->names[i]);
		for (at = 0; at < count && len < SPEED_SAID_MAX; at++)
			len += (size_t)snprintf(said + len, SPEED_SAID_MAX - len, "%s%s",
						at > 0 ? ", " : "", links[at].config.name);
		if (count == 0)
			snprintf(said, SPEED_SAID_MAX,
				 "there is no link \"%.40s\": none is configured", order->names[i]);
		return -EINVAL;
	}
	return 0;
}

int speed_plan_make(const struct speed_order *order, const struct config *config,
		    const struct links *links, struct speed_plan *plan, struct speed_result *result,
		    char said[SPEED_SAID_MAX])
{
	const struct link *list = NULL;
	size_t count = 0, good;

	*plan = (struct speed_plan){.config = config, .seconds = order->seconds};
	*result = (struct speed_result){.seconds = order->seconds};
	if (config->exit_count == 0) {
		snprintf(said, SPEED_SAID_MAX,
			 "no exit is configured: a speed test needs one, as it measures against "
			 "its source and sink");
		return -EINVAL;
	}
	plan->exit = order->exit ? find_exit(config, order->exit) : choose_exit(config);
	if (!plan->exit) {
		snprintf(said, SPEED_SAID_MAX, "there is no exit \"%.100s\"", order->exit);
		return -EINVAL;
	}
	snprintf(result->exit, sizeof(result->exit), "%s", plan->exit->name);
	if (links)
		list = links_list(links, &count);
	if (check_names(order, list, count, said))
		return -EINVAL;
	link_choices_make(&plan->choices, list, count, NULL);
	good = add_links(order, list, count, plan, result);
	if (order->name_count == 0 && (good > 1 || count == 0))
		add_row(plan, result, "all", NULL);
	else if (result->count == 0) {
		snprintf(said, SPEED_SAID_MAX,
			 "no link can be measured: each has role \"off\"; expected another one");
		return -EINVAL;
	} else if (good == 0) {
		snprintf(said, SPEED_SAID_MAX, "no link can be measured; %s: %.100s",
			 result->rows[0].name, result->rows[0].said);
		return -EINVAL;
	}
	return 0;
}
