/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file in which usage of links survives restarts, of hawserd and of the host. */
#ifndef HAWSER_LINKS_QUOTA_FILE_H
#define HAWSER_LINKS_QUOTA_FILE_H

#include "links/quota_usage.h"

struct quota_file;

/* In its directory. */
#define QUOTA_FILE_NAME "links.json"

/* Reads it, if it is there; of what it says only what makes sense.
 * NULL without memory. */
struct quota_file *quota_file_open(const char *directory);
void quota_file_close(struct quota_file *file); /* NULL is allowed */

/* What the file says of the link with this name; all zero if nothing. */
struct quota_usage quota_file_get(const struct quota_file *file, const char *name);

/* What the file shall be that has this of the link, and of others what it had; valid until the next
 * call. */
const char *quota_file_put(struct quota_file *file, const char *name,
			   const struct quota_usage *usage);

#endif
