/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `hawser exit-setup` has done, so that it can be taken back: a file of lines "KEY VALUE". */
#ifndef HAWSER_SETUP_RECORD_H
#define HAWSER_SETUP_RECORD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define RECORD_VALUE_MAX PATH_MAX

struct record {
	const char *path;
	char *text; /* NULL: not read yet */
};

/* Fills in value, "" where the key is missing. Whether it is there. */
bool record_get(struct record *record, const char *key, char value[RECORD_VALUE_MAX]);

/* Sets the key at once; value NULL: takes it out. A file without keys is removed. 0 or -errno. */
int record_set(struct record *record, const char *key, const char *value);

/* As record_set(), but what an earlier run has noted stays: that is how it was before all. */
int record_set_first(struct record *record, const char *key, const char *value);

void record_free(struct record *record);

#endif
