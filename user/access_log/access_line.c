/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "access_log/access_line.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Of a name that somebody chose, in quotes; the longest has 255 bytes. */
#define QUOTED_MAX 1088
#define LINKS_TEXT 3072

static bool is_plain(char c)
{
	return c > ' ' && c < '\x7f' && c != '"' && c != '\\' && c != '=';
}

const char *access_line_quote(const char *value, char *out, size_t size)
{
	size_t len = 0;
	bool plain = true;

	if (!value || !*value)
		value = "-";
	else if (strcmp(value, "-") == 0)
		plain = false;
	for (const char *c = value; *c; c++)
		plain = plain && is_plain(*c);
	if (plain) {
		snprintf(out, size, "%s", value);
		return out;
	}
	out[len++] = '"';
	/* Room for an escape, the quote and the NUL. */
	for (const char *c = value; *c && len + 6 <= size; c++) {
		if (is_plain(*c) || *c == ' ' || *c == '=')
			out[len++] = *c;
		else
			len += (size_t)snprintf(out + len, 5, "\\x%02x", (unsigned char)*c);
	}
	out[len++] = '"';
	out[len] = '\0';
	return out;
}

static void format_links(const struct access_record *record, char out[LINKS_TEXT])
{
	char name[QUOTED_MAX];
	size_t len = 0;

	snprintf(out, LINKS_TEXT, "-");
	for (size_t i = 0; i < record->link_count && len < LINKS_TEXT; i++)
		len += (size_t)snprintf(
			out + len, LINKS_TEXT - len, "%s%s:%" PRIu64 "/%" PRIu64, i ? "," : "",
			access_line_quote(record->links[i].name, name, sizeof(name)),
			record->links[i].up, record->links[i].down);
}

size_t access_line_format(const struct access_record *record, char out[static ACCESS_LINE_MAX])
{
	char time[CLOCK_TEXT_MAX], client[ADDRESS_TEXT_MAX], server[ADDRESS_TEXT_MAX] = "-";
	char user[QUOTED_MAX], asked[QUOTED_MAX], exit[QUOTED_MAX], links[LINKS_TEXT];
	int len;

	clock_text(record->time_ms, true, time);
	address_format(record->client, client);
	if (record->server)
		address_format(record->server, server);
	format_links(record, links);
	len = snprintf(
		out, ACCESS_LINE_MAX,
		"%s session=%" PRIu64
		" client=%s user=%s protocol=%s asked=%s server=%s exit=%s links=%s "
		"up=%" PRIu64 " down=%" PRIu64 " duration=%.3f tier=%s/%s from=%s to=%s cause=%s\n",
		time, record->session, client, access_line_quote(record->user, user, sizeof(user)),
		record->protocol, access_line_quote(record->asked, asked, sizeof(asked)), server,
		access_line_quote(record->exit, exit, sizeof(exit)), links, record->up,
		record->down, record->duration_s, record->tier_up, record->tier_down, record->from,
		record->to, record->cause);
	return len < ACCESS_LINE_MAX ? (size_t)len : ACCESS_LINE_MAX - 1;
}
