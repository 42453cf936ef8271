/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hawser top: a full-screen view of links, sessions and one session's subflows (ncurses). */
#ifndef HAWSER_CLI_TOP_H
#define HAWSER_CLI_TOP_H

/* Gives the terminal back at once, for an error message; does nothing unless top shows. */
void top_leave(void);

#endif
