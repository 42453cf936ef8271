/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftables by libnftables: commands in, all of them done or none. Knows no rule of ours. */
#ifndef HAWSER_INTERCEPT_NFT_H
#define HAWSER_INTERCEPT_NFT_H

#include <stdbool.h>

struct ruleset;

/* NULL when out of memory. */
struct ruleset *ruleset_open(void);
void ruleset_close(struct ruleset *ruleset); /* NULL does nothing */

/* Whether this process may look at rules at all: libnftables complains on standard error. */
bool ruleset_may_ask(void);

/* Runs commands as `nft -f` does, in one transaction. 0, or -EINVAL with ruleset_error() set. */
int ruleset_run(struct ruleset *ruleset, const char *commands);

/* As ruleset_run() for a command that lists something, as JSON (libnftables-json(5)), valid until
 * the next call. Protocols, states and the like are numbers: names depend on files of the host. */
int ruleset_list(struct ruleset *ruleset, const char *command, const char **text);

/* As ruleset_list(), a table of the family inet; or the kernel's -errno: -ENOENT when there is no
 * such table. */
int ruleset_list_table(struct ruleset *ruleset, const char *name, const char **text);

/* The first line of what nft said of the last command that failed. */
const char *ruleset_error(const struct ruleset *ruleset);

#endif
