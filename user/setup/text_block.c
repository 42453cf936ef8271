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

struct block {
	char begin[MARK_MAX]; /* the marks, */
	char end[MARK_MAX];
	const char *from; /* where the first begins, NULL: there is no block, */
	const char *to;	  /* and the last */
};

static struct block find_block(const char *text, const char *name)
{
	struct block block;

	snprintf(block.begin, sizeof(block.begin), "# hawser %s: begin", name);
	snprintf(block.end, sizeof(block.end), "# hawser %s: end", name);
	block.from = find_line(text, block.begin);
	block.to = block.from ? find_line(block.from, block.end) : NULL;
	if (!block.to)
		block.from = NULL;
	return block;
}

char *text_block_set(const char *text, const char *name, const char *body)
{
	const struct block block = find_block(text, name);
	const char *from = block.from;
	const char *to = block.to;
	const char *gap;
	char *out = NULL;
	int len;

	if (from) {
		to += strlen(block.end);
		to += *to == '\n';
	} else {
		from = to = text + strlen(text);
	}
	gap = from > text && from[-1] != '\n' ? "\n" : "";
	if (body)
		len = asprintf(&out, "%.*s%s%s\n%s%s\n%s", (int)(from - text), text, gap,
			       block.begin, body, block.end, to);
	else
		len = asprintf(&out, "%.*s%s", (int)(from - text), text, to);
	return len < 0 ? NULL : out;
}

char *text_block_get(const char *text, const char *name)
{
	const struct block block = find_block(text, name);
	const char *body = block.from ? block.from + strlen(block.begin) + 1 : "";

	return strndup(body, block.from ? (size_t)(block.to - body) : 0);
}
