/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Standard input, output and error, which a program may be started without. */
#ifndef HAWSER_BASE_STANDARD_FDS_H
#define HAWSER_BASE_STANDARD_FDS_H

/* First of all: opens /dev/null where they are closed, so that no socket gets their number, and
 * with it what is written to them. Ends the process where that cannot be. */
void standard_fds_open(void);

#endif
