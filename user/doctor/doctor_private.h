/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser doctor`: looks at everything between this host and its exits, step by step. */
#ifndef HAWSER_DOCTOR_DOCTOR_PRIVATE_H
#define HAWSER_DOCTOR_DOCTOR_PRIVATE_H

#include <stdbool.h>

#include "base/address.h"

/* destination: also to be looked at; NULL: none. Returns the exit code: 1 when something is broken.
 */
int doctor_run(const char *control_path, const struct destination *destination, bool json);

#endif
