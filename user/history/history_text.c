/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line for each series, "client 00:16:3e:0a:0b:0c 192.168.1.5", and behind it one for each slot,
 * "h HOUR UP DOWN" or "d DAY UP DOWN", in their order. What could be taken for something else in a
 * name is %XX, an empty one "-". */
#include "history/history_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD	       "hawser-history 1"
#define END	       "end"
#define WORD_MAX       (3 * HISTORY_NAME_MAX + 1)
#define LINE_MAX_BYTES (2 * WORD_MAX + 16)

static const char unit_letters[HISTORY_UNITS] = {'h', 'd'};

static void put_word(FILE *file, const char *word)
{
	if (!*word)
		fputs(" -", file);
	else
		fputc(' ', file);
	for (const char *c = word; *c; c++) {
		if (isgraph((unsigned char)*c) && *c != '%' && strcmp(word, "-") != 0)
			fputc(*c, file);
		else
			fprintf(file, "%%%02X", (unsigned char)*c);
	}
}

static void put_series(FILE *file, enum history_kind kind, const struct history_series *series)
{
	fputs(history_kind_words[kind], file);
	put_word(file, series->name);
	put_word(file, series->address);
	fputc('\n', file);
	for (enum history_unit unit = 0; unit < HISTORY_UNITS; unit++)
		for (size_t i = 0; i < series->slots[unit].count; i++) {
			const struct history_slot *slot = &series->slots[unit].slot[i];

			fprintf(file, "%c %" PRIu32 " %" PRIu64 " %" PRIu64 "\n",
				unit_letters[unit], slot->label, slot->bytes.up, slot->bytes.down);
		}
}

char *history_text_write(const struct history *history)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	bool failed;

	if (!file)
		return NULL;
	fputs(HEAD "\n", file);
	for (enum history_kind kind = 0; kind < HISTORY_KINDS; kind++) {
		size_t count;
		const struct history_series *list = history_list(history, kind, &count);

		for (size_t i = 0; i < count; i++)
			put_series(file, kind, &list[i]);
	}
	fputs(END "\n", file);
	failed = ferror(file);
	if (fclose(file) || failed) {
		free(text);
		return NULL;
	}
	return text;
}

/* The series that the lines are of. */
struct reader {
	struct history *history;
	enum history_kind kind;
	char name[WORD_MAX]; /* "": none yet */
	char address[WORD_MAX];
};

/* In place. False: it is no name. */
static bool decode(char *word)
{
	char *out = word;
	char hex[3] = {0};

	if (strcmp(word, "-") == 0)
		*word = '\0';
	for (const char *c = word; *c; c++) {
		if (*c != '%') {
			*out++ = *c;
			continue;
		}
		if (!isxdigit((unsigned char)c[1]) || !isxdigit((unsigned char)c[2]))
			return false;
		memcpy(hex, c + 1, 2);
		*out = (char)strtoul(hex, NULL, 16);
		if (!*out++)
			return false;
		c += 2;
	}
	*out = '\0';
	return true;
}

/* 0, -EINVAL or -ENOMEM. */
static int read_slot(struct reader *reader, enum history_unit unit, const char *numbers)
{
	uint64_t values[3];
	struct history_slot slot;
	char *end;

	for (size_t i = 0; i < 3; i++) {
		if (numbers[0] != ' ' || !isdigit((unsigned char)numbers[1]))
			return -EINVAL;
		errno = 0;
		values[i] = strtoull(numbers + 1, &end, 10);
		if (errno)
			return -EINVAL;
		numbers = end;
	}
	if (*numbers || values[0] > UINT32_MAX || !*reader->name)
		return -EINVAL;
	slot = (struct history_slot){.label = (uint32_t)values[0],
				     .bytes = {.up = values[1], .down = values[2]}};
	return history_restore(reader->history, reader->kind, reader->name, reader->address, unit,
			       &slot);
}

static int read_series(struct reader *reader, char *line)
{
	char *name = strchr(line, ' ');
	char *address = name ? strchr(name + 1, ' ') : NULL;

	if (!address || strlen(address) > WORD_MAX || address - name > WORD_MAX)
		return -EINVAL;
	*name++ = '\0';
	*address++ = '\0';
	for (reader->kind = 0; reader->kind < HISTORY_KINDS; reader->kind++)
		if (strcmp(line, history_kind_words[reader->kind]) == 0)
			break;
	if (reader->kind == HISTORY_KINDS || !decode(name) || !*name || !decode(address))
		return -EINVAL;
	snprintf(reader->name, sizeof(reader->name), "%s", name);
	snprintf(reader->address, sizeof(reader->address), "%s", address);
	return 0;
}

static int read_line(struct reader *reader, char *line)
{
	for (enum history_unit unit = 0; unit < HISTORY_UNITS; unit++)
		if (line[0] == unit_letters[unit] && line[1] == ' ')
			return read_slot(reader, unit, line + 1);
	return read_series(reader, line);
}

int history_text_read(struct history *history, const char *text, unsigned int *line)
{
	struct reader reader = {.history = history};
	char copy[LINE_MAX_BYTES];

	*line = 0;
	for (;;) {
		const size_t len = strcspn(text, "\n");
		int err = -EINVAL;

		++*line;
		if (len < sizeof(copy) && text[len] == '\n') {
			memcpy(copy, text, len);
			copy[len] = '\0';
			if (*line > 1 && strcmp(copy, END) == 0) {
				*line = 0;
				return 0;
			}
			if (*line > 1)
				err = read_line(&reader, copy);
			else if (strcmp(copy, HEAD) == 0)
				err = 0;
		}
		if (err)
			return err == -EINVAL ? 0 : err;
		text += len + 1;
	}
}
