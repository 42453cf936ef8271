/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftables by libnftables: commands in, all of them done or none. Knows no rule of ours. */
#ifndef HAWSER_INTERCEPT_NFT_H
#define HAWSER_INTERCEPT_NFT_H

#include <stdbool.h>
#include <stdint.h>

struct nft;

/* NULL when out of memory, or when the kernel gives no socket to it. */
struct nft *nft_open(void);
void nft_close(struct nft *ruleset); /* NULL does nothing */

/* Whether nftables may be asked at all: libnftables complains on standard error. 0 or -errno:
 * -EPERM without CAP_NET_ADMIN, and see nft_is_absent(). */
int nft_probe(void);

/* Whether an error of these functions, or of nft_set.h, says that this kernel has no nftables. Each
 * question has it look for the module. */
bool nft_is_absent(int err);

/* Whether there is such a table of the family inet. 0, -ENOENT when not, or another -errno. */
int nft_find_table(const char *name);

/* Of a base chain in a table of the family inet. -ENOENT when there is no such chain, or another
 * -errno. */
int nft_count_rules(const char *table, const char *chain);

/* How many elements a set has, NFPROTO_INET or the like; more than max are not counted. Or
 * -errno. */
int nft_count_elements(uint8_t family, const char *table, const char *set, int max);

/* Runs commands as `nft -f` does, in one transaction. 0, or -EINVAL with nft_error() set. */
int nft_run(struct nft *ruleset, const char *commands);

/* As `nft -c -f PATH`: whether the kernel would take all of the file; nothing is changed. Returns
 * as nft_run(). */
int nft_check_file(struct nft *ruleset, const char *path);

/* As nft_run() for a command that lists something, as JSON (libnftables-json(5)), valid until
 * the next call. Protocols, states and the like are numbers: names depend on files of the host.
 * terse: sets with a name are listed without their elements. */
int nft_list(struct nft *ruleset, const char *command, bool terse, const char **text);

/* The first line of what nft said of the last command that failed. */
const char *nft_error(const struct nft *ruleset);

#endif
