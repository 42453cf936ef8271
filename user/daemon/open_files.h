/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may have how many of the process's file descriptors. */
#ifndef HAWSER_DAEMON_OPEN_FILES_H
#define HAWSER_DAEMON_OPEN_FILES_H

#include <stdint.h>

struct config;

struct open_files {
	uint32_t sessions; /* at once, of all workers */
	/* At once, of each worker: */
	uint32_t queries; /* to name servers */
	uint32_t unheard; /* clients that have not said where they want to go */
};

/* Raises the process's limit as far as it goes, and shares out what is left beyond what the
 * configuration's listeners, exits and links need. Limits traffic accordingly
 * (base/descriptors.h). 0, or -EMFILE when that is too little to work at all, which is said in the
 * log. */
int open_files_share(const struct config *config, struct open_files *files);

#endif
