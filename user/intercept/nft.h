/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftables by libnftables: commands in, all of them done or none. Knows no rule of ours. */
#ifndef HAWSER_INTERCEPT_NFT_H
#define HAWSER_INTERCEPT_NFT_H

struct nft;

/* NULL when out of memory. */
struct nft *nft_open(void);
void nft_close(struct nft *ruleset); /* NULL does nothing */

/* Whether nftables may be asked at all: libnftables complains on standard error. 0 or -errno:
 * -EPERM without CAP_NET_ADMIN. */
int nft_probe(void);

/* Whether there is such a table of the family inet. 0, -ENOENT when not, or another -errno. */
int nft_find_table(const char *name);

/* Of a base chain in a table of the family inet. -ENOENT when there is no such chain, or another
 * -errno. */
int nft_count_rules(const char *table, const char *chain);

/* Runs commands as `nft -f` does, in one transaction. 0, or -EINVAL with nft_error() set. */
int nft_run(struct nft *ruleset, const char *commands);

/* As `nft -c -f PATH`: whether the kernel would take all of the file; nothing is changed. Returns
 * as nft_run(). */
int nft_check_file(struct nft *ruleset, const char *path);

/* As nft_run() for a command that lists something, as JSON (libnftables-json(5)), valid until
 * the next call. Protocols, states and the like are numbers: names depend on files of the host. */
int nft_list(struct nft *ruleset, const char *command, const char **text);

/* As nft_list(), a table of the family inet; or as nft_find_table(). */
int nft_list_table(struct nft *ruleset, const char *name, const char **text);

/* The first line of what nft said of the last command that failed. */
const char *nft_error(const struct nft *ruleset);

#endif
