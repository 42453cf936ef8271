/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of ours in the file that nftables is loaded from at boot: a block between two comments. */
#ifndef HAWSER_SETUP_FIREWALL_FILE_H
#define HAWSER_SETUP_FIREWALL_FILE_H

#include <stdbool.h>

#include "setup/exit_setup_private.h"

#define FIREWALL_FILE "/etc/nftables.conf"

struct nft;

/* Pure. Whether the text of such a file makes the chain at wanted, as "inet filter input": without
 * it, a rule for the chain fails at boot, and all else of the file with it. */
bool firewall_file_has_chain(const char *file, const char *wanted);

/* Has the file add the rule, a whole line, to the chain at place; once, and only if the kernel
 * would load the file then. Else text is added to, with what is to be done by hand. 0 or -errno,
 * with text set. */
int firewall_file_keep(struct nft *nft, const char *place, const char *rule,
		       char text[SETUP_TEXT_MAX]);

/* Takes all of them out. 0 or -errno. */
int firewall_file_clear(void);

#endif
