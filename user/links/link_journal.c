/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cannot be seen from the kernel whether it is ours, kept in a file for the start after a
 * crash. Lines of text; a line "end" ends it, whatever follows. */
#include "links/link_journal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/run_file.h"

/* Longer than any: each line has less than 64 bytes. */
#define TEXT_MAX 4096

#define NAME "links"

struct link_journal {
	int fd;
	bool behind;
	char path[PATH_MAX];
};

bool link_journal_left(void)
{
	char path[PATH_MAX];

	return run_file_path(NAME, path, sizeof(path)) == 0 && access(path, F_OK) == 0;
}

static void read_limits(const char *text, struct link_journal_data *data)
{
	uint32_t *const numbers[] = {&data->before.subflows, &data->before.add_addr_accepted,
				     &data->raised.subflows, &data->raised.add_addr_accepted};
	char *end;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		*numbers[i] = (uint32_t)strtoul(text, &end, 10);
		if (end == text)
			return;
		text = end;
	}
	data->has_limits = true;
}

static void read_line(const char *line, struct link_journal_data *data)
{
	static const char limits[] = "limits ";
	static const char endpoint[] = "endpoint ";
	static const char portal[] = "portal ";
	struct prefix prefix;

	if (strncmp(line, limits, strlen(limits)) == 0)
		read_limits(line + strlen(limits), data);
	else if (strncmp(line, endpoint, strlen(endpoint)) == 0 &&
		 data->endpoint_count < LINK_JOURNAL_ENDPOINTS_MAX &&
		 prefix_parse(line + strlen(endpoint), &prefix) == 0)
		data->endpoints[data->endpoint_count++] = prefix.base;
	else if (strncmp(line, portal, strlen(portal)) == 0 && data->portal_count < LINKS_MAX &&
		 prefix_parse(line + strlen(portal), &prefix) == 0)
		data->portals[data->portal_count++] = prefix.base;
}

static void read_data(int fd, struct link_journal_data *data)
{
	char text[TEXT_MAX + 1];
	ssize_t len = pread(fd, text, TEXT_MAX, 0);
	char *rest = text;
	char *line;

	*data = (struct link_journal_data){0};
	text[len > 0 ? len : 0] = '\0';
	while ((line = strsep(&rest, "\n")) && strcmp(line, "end") != 0)
		read_line(line, data);
}

struct link_journal *link_journal_open(struct link_journal_data *data)
{
	struct link_journal *record = calloc(1, sizeof(*record));
	int err;

	if (!record)
		return NULL;
	err = run_file_path(NAME, record->path, sizeof(record->path));
	if (!err) {
		record->fd = run_file_lock(record->path, RUN_FILE_TRY);
		err = record->fd < 0 ? record->fd : 0;
	}
	if (err) {
		free(record);
		errno = -err;
		return NULL;
	}
	read_data(record->fd, data);
	return record;
}

int link_journal_write(struct link_journal *record, const struct link_journal_data *data)
{
	char text[TEXT_MAX];
	char ip[ADDRESS_TEXT_MAX];
	size_t len = 0;
	int err;

	if (data->has_limits)
		len += (size_t)snprintf(text, sizeof(text),
					"limits %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
					data->before.subflows, data->before.add_addr_accepted,
					data->raised.subflows, data->raised.add_addr_accepted);
	for (size_t i = 0; i < data->endpoint_count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "endpoint %s\n",
					address_format_ip(&data->endpoints[i], ip));
	for (size_t i = 0; i < data->portal_count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "portal %s\n",
					address_format_ip(&data->portals[i], ip));
	len += (size_t)snprintf(text + len, sizeof(text) - len, "end\n");
	err = run_file_write(record->fd, text, len);
	record->behind = err != 0;
	return err;
}

bool link_journal_is_behind(const struct link_journal *record)
{
	return record->behind;
}

void link_journal_close(struct link_journal *record, bool remove)
{
	if (!record)
		return;
	if (remove)
		unlink(record->path);
	close(record->fd);
	free(record);
}
