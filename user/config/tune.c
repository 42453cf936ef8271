/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The constants by which the relay decides. */
#include "config/tune.h"

#include <string.h>

#define TUNE_DEFAULT(member, name, standard, least, most) .member = (standard),
#define TUNE_ROW(member, name, standard, least, most)                                              \
	{(name), offsetof(struct tune, member), (least), (most)},

const struct tune tune_default = {TUNE_LIST(TUNE_DEFAULT)};

static const struct tune_row rows[] = {TUNE_LIST(TUNE_ROW)};

const struct tune_row *tune_find(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}
