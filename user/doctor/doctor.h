/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser doctor`. Looks only; mends nothing. */
#ifndef HAWSER_DOCTOR_DOCTOR_H
#define HAWSER_DOCTOR_DOCTOR_H

struct command;

/* The subcommand. Returns 1 when something is broken. */
int doctor_main(const struct command *command, int argc, char **argv);

#endif
