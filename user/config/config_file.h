/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hawser.conf(5): read, parsed by libconfuse, every value kept with its line. Judges no value. */
#ifndef HAWSER_CONFIG_CONFIG_FILE_H
#define HAWSER_CONFIG_CONFIG_FILE_H

struct cfg_t; /* libconfuse's; cfg_free() it */
struct draft;

/* NULL after logging one line that says what is wrong where. */
struct cfg_t *config_file_parse(const char *path);

/* Puts the file's values into the draft, which refers to them from then on. 0, or a negative errno
 * after logging. */
int config_file_apply(struct cfg_t *root, struct draft *draft);

#endif
