/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Defaults, then the file, then the options. */
#ifndef HAWSER_CONFIG_CONFIG_LOAD_H
#define HAWSER_CONFIG_CONFIG_LOAD_H

struct config;
struct options;

/* Reads defaults, then the file, then the options. NULL on error, after logging one line that names
 * file and line (or the option), what is wrong and what is expected. The result has one reference.
 */
struct config *config_load(const struct options *options);

#endif
