/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser doctor`: looks at everything between this host and its exits, step by step. */
#ifndef HAWSER_DOCTOR_DOCTOR_PRIVATE_H
#define HAWSER_DOCTOR_DOCTOR_PRIVATE_H

#include "cli/arguments.h"

/* As the member run of struct command has it; 1 when something is broken. */
int doctor_main(const struct command *command, int argc, char **argv);

#endif
