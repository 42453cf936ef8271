/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setup/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "setup/system_file.h"

static const char *text_of(struct record *record)
{
	if (!record->text)
		record->text = system_file_read(record->path);
	return record->text;
}

/* The line of the key; NULL: there is none. */
static const char *find(const char *text, const char *key)
{
	const size_t len = strlen(key);

	for (const char *line = text; line && *line;) {
		const char *end = strchr(line, '\n');

		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return line;
		line = end ? end + 1 : NULL;
	}
	return NULL;
}

bool record_get(struct record *record, const char *key, char value[RECORD_VALUE_MAX])
{
	const char *line = find(text_of(record), key);

	*value = '\0';
	if (!line)
		return false;
	line += strlen(key) + 1;
	snprintf(value, RECORD_VALUE_MAX, "%.*s", (int)strcspn(line, "\n"), line);
	return true;
}

int record_set(struct record *record, const char *key, const char *value)
{
	const char *text = text_of(record);
	const char *line = find(text, key);
	const char *from = line ? line : text + strlen(text);
	const char *to = from + strcspn(from, "\n");
	char *changed = NULL;
	int len;

	to += *to == '\n';
	if (value)
		len = asprintf(&changed, "%.*s%s %s\n%s", (int)(from - text), text, key, value, to);
	else
		len = asprintf(&changed, "%.*s%s", (int)(from - text), text, to);
	if (len < 0)
		return -ENOMEM;
	free(record->text);
	record->text = changed;
	if (*changed)
		return system_file_write(record->path, changed, 0600);
	return unlink(record->path) && errno != ENOENT ? -errno : 0;
}

int record_set_first(struct record *record, const char *key, const char *value)
{
	return find(text_of(record), key) ? 0 : record_set(record, key, value);
}

void record_free(struct record *record)
{
	free(record->text);
	record->text = NULL;
}
