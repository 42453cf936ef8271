/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories for what only this user may put somewhere. */
#ifndef HAWSER_BASE_OWN_DIRECTORY_H
#define HAWSER_BASE_OWN_DIRECTORY_H

#include <sys/types.h>

/* Makes the directory (not those above it) if it is not there, and checks that nobody else can put
 * or replace a file of ours in it: it is no symbolic link, it is this user's or root's, and others
 * may not write to it, or as in /tmp only what is theirs (sticky). 0; -EPERM: somebody else's;
 * -EACCES: others may write; -ENOTDIR; or as of mkdir(2). */
int own_directory_make(const char *path, mode_t mode);

/* The same, but for root it may also be that of a user to whom only root can have given it, as
 * nobody else may write to the directory above. That user can replace what is there. */
int own_directory_share(const char *path, mode_t mode);

#endif
