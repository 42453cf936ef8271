/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "upstream/exit_tell.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "on_event/on_event.h"
#include "upstream/exit_dial.h"

#define LOOK_S	  1.
#define NAMES_MAX 480

struct exit_tell {
	struct ev_loop *loop;
	struct on_event *on_event;
	const struct config *config;
	ev_timer look;
	char names[NAMES_MAX]; /* of those in use, with commas between them; "": none */
};

static void find_names(const struct config *config, char out[NAMES_MAX])
{
	size_t exits[EXITS_MAX];
	const size_t count = exit_dial_candidates(config, 0, exits);
	size_t len = 0;

	*out = '\0';
	for (size_t i = 0; i < count && len < NAMES_MAX; i++)
		len += (size_t)snprintf(out + len, NAMES_MAX - len, "%s%s", len ? "," : "",
					config->exits[exits[i]].name);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct exit_tell *tell = timer->data;
	const bool direct = tell->config->when_no_exit == WHEN_NO_EXIT_DIRECT;
	char names[NAMES_MAX], line[2 * NAMES_MAX];
	const struct hook_value values[] = {{"EXIT", names},
					    {"EXIT_BEFORE", tell->names},
					    {"WHEN_NO_EXIT", direct ? "direct" : "refuse"},
					    {"TEXT", line}};

	(void)loop;
	(void)events;
	find_names(tell->config, names);
	if (strcmp(names, tell->names) == 0)
		return;
	if (*names)
		snprintf(line, sizeof(line), "sessions go by exit %s now", names);
	else
		snprintf(line, sizeof(line), "no exit answers: new sessions %s",
			 direct ? "go directly" : "are refused");
	on_event_tell(tell->on_event, *names ? "exit-changed" : "no-exit", values,
		      sizeof(values) / sizeof(*values));
	memcpy(tell->names, names, sizeof(names));
}

struct exit_tell *exit_tell_open(struct ev_loop *loop, struct on_event *on_event)
{
	struct exit_tell *tell = calloc(1, sizeof(*tell));
	ev_timer *look;

	if (!tell)
		return NULL;
	tell->loop = loop;
	tell->on_event = on_event;
	look = &tell->look;
	ev_timer_init(look, on_look, 0., LOOK_S);
	look->data = tell;
	return tell;
}

void exit_tell_close(struct exit_tell *tell)
{
	if (!tell)
		return;
	ev_timer_stop(tell->loop, &tell->look);
	free(tell);
}

void exit_tell_configure(struct exit_tell *tell, const struct config *config)
{
	tell->config = config;
	find_names(config, tell->names);
	ev_timer_stop(tell->loop, &tell->look);
	/* Where there are links, they are looked at as often. */
	if (config->exit_count > 0 && (config->on_event || links_are_wanted(&config->links)))
		ev_timer_again(tell->loop, &tell->look);
}
