/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a further subflow joins by a link (RFC 8684 section 3.2). */
#ifndef HAWSER_DOCTOR_CHECK_JOIN_H
#define HAWSER_DOCTOR_CHECK_JOIN_H

#include "doctor/doctor_private.h"

/* A check of doctor_path_checks. */
bool doctor_look_join(struct doctor *doctor, const struct doctor_subject *subject,
		      struct doctor_finding *out);

#endif
