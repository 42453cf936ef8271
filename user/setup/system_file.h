/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the host that a set-up changes, whole; and the programs that it runs. */
#ifndef HAWSER_SETUP_SYSTEM_FILE_H
#define HAWSER_SETUP_SYSTEM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The text; "" where there is no file. What else goes wrong ends the program. The caller's. */
char *system_file_read(const char *path);

/* Replaces the file in one step, and keeps its owner and mode. A new one gets mode and the group of
 * its directory, which is made (0750) if need be, as those above. 0 or -errno. */
int system_file_write(const char *path, const char *text, mode_t mode);

/* Removes what system_file_write() has left of a run that was killed. */
void system_file_sweep(const char *path);

/* Whether the file has this text. */
bool system_file_is(const char *path, const char *text);

/* One program at a time changes the host: waits for another, and keeps more of them out until this
 * one ends. */
void system_lock(void);

/* Runs a program found by PATH, in English; words end with NULL. out has the begin of what it
 * printed, its errors are ours. Its exit status; -ENOENT where there is no such program, or another
 * -errno. */
int system_run(const char *const *words, char *out, size_t size);

#endif
