/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks a configuration file before libconfuse reads it. */
#include "config/config_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text_file.h"

/* All scan functions may look one byte ahead: the text ends in a newline, which ends all but
 * comments, and a NUL. */
struct scan {
	const char *path;
	char *at;
	char *end;
	unsigned int line;
	unsigned int depth;
	unsigned int open_line; /* of the outermost open brace */
};

static int scan_string(struct scan *scan)
{
	const char *start = scan->at;
	const char *mark = NULL;
	char quote = *start;

	for (scan->at++; *scan->at != quote; scan->at++) {
		char next = scan->at[1];
		size_t size;

		if (!mark)
			mark = text_typography(scan->at, &size);
		if (*scan->at == '\n') {
			log_error("%s:%u: unterminated string%s%s; expected %c...%c on one line",
				  scan->path, scan->line, mark ? " with a " : "", mark ? mark : "",
				  quote, quote);
			return -EINVAL;
		}
		if (*scan->at == '\\') {
			if (next != '\\' && next != quote) {
				log_error(
					"%s:%u: bad escape \"\\%c\" in a string; expected \\\\ or "
					"\\%c",
					scan->path, scan->line, next, quote);
				return -EINVAL;
			}
			scan->at++;
		} else if (*scan->at == '$' && next == '{') {
			log_error("%s:%u: \"${\" in a string; environment variables are not "
				  "expanded; expected the value itself",
				  scan->path, scan->line);
			return -EINVAL;
		} else if (iscntrl((unsigned char)*scan->at)) {
			log_error("%s:%u: control character 0x%02x in a string; expected text",
				  scan->path, scan->line, (unsigned char)*scan->at);
			return -EINVAL;
		}
	}
	if (scan->at == start + 1) {
		log_error("%s:%u: empty string %c%c; expected at least one character", scan->path,
			  scan->line, quote, quote);
		return -EINVAL;
	}
	scan->at++;
	return 0;
}

static void scan_line_comment(struct scan *scan)
{
	while (*scan->at != '\n')
		*scan->at++ = ' ';
}

static int scan_block_comment(struct scan *scan)
{
	unsigned int start_line = scan->line;

	/* The opening star must not close it, as in slash-star-slash. */
	memset(scan->at, ' ', 2);
	for (scan->at += 2; scan->at < scan->end; scan->at++) {
		if (scan->at[0] == '*' && scan->at[1] == '/') {
			memset(scan->at, ' ', 2);
			scan->at += 2;
			return 0;
		}
		if (*scan->at == '\n')
			scan->line++;
		else
			*scan->at = ' ';
	}
	log_error("%s:%u: unterminated comment; expected /* ... */", scan->path, start_line);
	return -EINVAL;
}

static int scan_word(struct scan *scan)
{
	const char *start = scan->at;
	const char *mark = text_typography(start, &(size_t){0});
	char what[sizeof("byte 0xff")];

	while (isascii((unsigned char)*scan->at) &&
	       (isalnum((unsigned char)*scan->at) || (*scan->at && strchr("-_./:[]%@", *scan->at))))
		scan->at++;
	if (scan->at > start)
		return 0;
	snprintf(what, sizeof(what), isgraph((unsigned char)*start) ? "'%c'" : "byte 0x%02x",
		 (unsigned char)*start);
	log_error("%s:%u: stray %s; expected names, \"strings\", '=', ',', '{' and '}'", scan->path,
		  scan->line, mark ? mark : what);
	return -EINVAL;
}

static int scan_token(struct scan *scan)
{
	switch (*scan->at) {
	case '\n':
		scan->line++;
		break;
	case '\r':
		*scan->at = ' ';
		break;
	case '{':
		if (scan->depth++ == 0)
			scan->open_line = scan->line;
		break;
	case '}':
		/* One too many is libconfuse's to report. */
		if (scan->depth > 0)
			scan->depth--;
		break;
	case ' ':
	case '\t':
	case '=':
	case ',':
		break;
	case '"':
	case '\'':
		return scan_string(scan);
	case '#':
		scan_line_comment(scan);
		return 0;
	case '/':
		if (scan->at[1] == '*')
			return scan_block_comment(scan);
		if (scan->at[1] == '/') {
			scan_line_comment(scan);
			return 0;
		}
		return scan_word(scan);
	default:
		return scan_word(scan);
	}
	scan->at++;
	return 0;
}

int config_text_prepare(const char *path, char *text, size_t len)
{
	struct scan scan = {.path = path, .at = text, .end = text + len, .line = 1};

	while (scan.at < scan.end) {
		int err = scan_token(&scan);

		if (err)
			return err;
	}
	if (scan.depth > 0) {
		log_error("%s:%u: the { on this line is never closed; expected a } for every {",
			  path, scan.open_line);
		return -EINVAL;
	}
	return 0;
}
