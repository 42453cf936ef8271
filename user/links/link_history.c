/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has happened to links. */
#include "links/link_history.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"

static void note(struct link_history *history, const struct link *link, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void note(struct link_history *history, const struct link *link, const char *format, ...)
{
	struct link_event *event = &history->events[history->count++ % LINK_EVENTS_MAX];
	struct timespec now;
	va_list args;

	clock_gettime(CLOCK_REALTIME, &now);
	event->time_s = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
	snprintf(event->link, sizeof(event->link), "%s", link->config.name);
	va_start(args, format);
	vsnprintf(event->text, sizeof(event->text), format, args);
	va_end(args);
	log_info("link %s (%s): %s", link->config.name, link->config.device, event->text);
}

void link_history_note(struct link_history *history, const struct link *link,
		       const struct link *before)
{
	char address[ADDRESS_TEXT_MAX];
	char gateway[ADDRESS_TEXT_MAX];

	if (link->state != before->state && link->state == LINK_STATE_DEMOTED)
		note(history, link, "%s: all links together %.1f Mbit/s with it, %.1f without",
		     link_state_name(link->state), link->sums.with * 8e-6,
		     link->sums.without * 8e-6);
	else if (link->state != before->state)
		note(history, link, "%s", link_state_name(link->state));
	for (enum ip_family family = 0; family < IP_FAMILIES; family++) {
		const struct link_path *path = &link->paths[family];
		const struct link_path *was = &before->paths[family];

		if (!path->works)
			continue;
		if (was->works && address_same_ip(&path->address, &was->address) &&
		    address_same_ip(&path->gateway, &was->gateway))
			continue;
		note(history, link, "%s via %s", address_format_ip(&path->address, address),
		     address_format_ip(&path->gateway, gateway));
	}
}

const struct link_event *link_history_get(const struct link_history *history, size_t index)
{
	const uint64_t first =
		history->count > LINK_EVENTS_MAX ? history->count - LINK_EVENTS_MAX : 0;

	if (first + index >= history->count)
		return NULL;
	return &history->events[(first + index) % LINK_EVENTS_MAX];
}
