/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: getopt, the help text and what each option sets, from the table of settings. */
#ifndef HAWSER_CONFIG_OPTIONS_H
#define HAWSER_CONFIG_OPTIONS_H

#include <stdbool.h>

struct draft;

/* What the command line said; kept for reloads. Its strings belong to argv. */
struct options;

/* Parses argv. Prints help, version or an error and exits (0, 0, 2) where that is all there is to
 * do. Values are judged by config_load(). The caller owns the result. */
const struct options *options_parse(int argc, char **argv);
void options_free(const struct options *options);

/* True for --check: validate and exit. */
bool options_check_only(const struct options *options);

/* True for --keeper. */
bool options_wants_keeper(const struct options *options);

/* Read when it is there and the command line neither names a file nor sets anything. */
#define CONFIG_FILE_DEFAULT "/etc/hawser/hawser.conf"

/* The file that is to be read: FILE of -c FILE, or the default; NULL: none. */
const char *options_file(const struct options *options);

/* The default that is not there, and is read by a reload as soon as it is; NULL: none. */
const char *options_awaited_file(const struct options *options);

/* Puts what the command line said into the draft, after the file. 0, or -EINVAL after logging. */
int options_apply(const struct options *options, struct draft *draft);

#endif
