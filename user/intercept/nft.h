/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftables by libnftables: commands in, all of them done or none. Knows no rule of ours. */
#ifndef HAWSER_INTERCEPT_NFT_H
#define HAWSER_INTERCEPT_NFT_H

struct ruleset;

/* NULL when out of memory. */
struct ruleset *ruleset_open(void);
void ruleset_close(struct ruleset *ruleset); /* NULL does nothing */

/* Runs commands as `nft -f` does, in one transaction. 0, or with ruleset_error()
 * set -ENOENT (a table, set or element is not there) or -EINVAL. */
int ruleset_run(struct ruleset *ruleset, const char *commands);

/* As ruleset_run() for a command that lists something, as JSON (libnftables-json(5)), valid until
 * the next call. */
int ruleset_list(struct ruleset *ruleset, const char *command, const char **text);

/* The first line of what nft said of the last command that failed. */
const char *ruleset_error(const struct ruleset *ruleset);

#endif
