/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "upstream/exit_tell.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "on_event/on_event.h"
#include "upstream/exit_dial.h"

#define LOOK_S 1.

struct exit_tell {
	struct ev_loop *loop;
	struct on_event *on_event;
	const struct config *config;
	ev_timer look;
	char *names; /* as find_names() */
};

/* Those in use, with commas between them; "": none. malloc'ed; NULL without memory. */
static char *find_names(const struct config *config)
{
	size_t exits[EXITS_MAX];
	const size_t count = exit_dial_candidates(config, 0, exits);
	char *names = NULL;
	size_t len;
	FILE *out = open_memstream(&names, &len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i > 0 ? "," : "", config->exits[exits[i]].name);
	if (!fclose(out))
		return names;
	free(names);
	return NULL;
}

/* Takes names, unless they are NULL. */
static void set_names(struct exit_tell *tell, char *names)
{
	if (!names)
		return;
	free(tell->names);
	tell->names = names;
}

static void tell_names(const struct exit_tell *tell, const char *names)
{
	const bool direct = tell->config->when_no_exit == WHEN_NO_EXIT_DIRECT;
	const char *event = *names ? "exit-changed" : "no-exit";
	char *line = NULL;
	const int len = *names ? asprintf(&line, "sessions go by exit %s now", names)
			       : asprintf(&line, "no exit answers: new sessions %s",
					  direct ? "go directly" : "are refused");
	const struct hook_value values[] = {{"EXIT", names},
					    {"EXIT_BEFORE", tell->names},
					    {"WHEN_NO_EXIT", direct ? "direct" : "refuse"},
					    {"TEXT", line}};

	if (len < 0)
		return;
	on_event_tell(tell->on_event, event, values, sizeof(values) / sizeof(*values));
	free(line);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct exit_tell *tell = timer->data;
	char *names = find_names(tell->config);

	(void)loop;
	(void)events;
	if (names && tell->names && strcmp(names, tell->names) != 0)
		tell_names(tell, names);
	set_names(tell, names);
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
	free(tell->names);
	free(tell);
}

void exit_tell_configure(struct exit_tell *tell, const struct config *config)
{
	tell->config = config;
	set_names(tell, find_names(config));
	ev_timer_stop(tell->loop, &tell->look);
	/* Where there are links, they are looked at as often. */
	if (config->exit_count > 0 && (config->on_event || links_are_wanted(&config->links)))
		ev_timer_again(tell->loop, &tell->look);
}
