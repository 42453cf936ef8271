/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "setup/text_block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_MAX 320

/* Where a line that is mark begins; NULL: there is none. */
static const char *find_line(const char *text, const char *mark)
{
	const size_t len = strlen(mark);

	for (const char *line = text; line && *line;) {
		const char *end = strchr(line, '\n');

		if (strncmp(line, mark, len) == 0 && (line[len] == '\n' || line[len] == '\0'))
			return line;
		line = end ? end + 1 : NULL;
	}
	return NULL;
}

char *text_block_set(const char *text, const char *name, const char *body)
{
	char begin[MARK_MAX];
	char end[MARK_MAX];
	char *out = NULL;
	const char *from;
	const char *to;
	const char *gap;
	int len;

	snprintf(begin, sizeof(begin), "# hawser %s: begin", name);
	snprintf(end, sizeof(end), "# hawser %s: end", name);
	from = find_line(text, begin);
	to = from ? find_line(from, end) : NULL;
	if (to) {
		to += strlen(end);
		to += *to == '\n';
	} else {
		from = to = text + strlen(text);
	}
	gap = from > text && from[-1] != '\n' ? "\n" : "";
	if (body)
		len = asprintf(&out, "%.*s%s%s\n%s%s\n%s", (int)(from - text), text, gap, begin,
			       body, end, to);
	else
		len = asprintf(&out, "%.*s%s", (int)(from - text), text, to);
	return len < 0 ? NULL : out;
}
