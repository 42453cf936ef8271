/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the doctor says of this host's firewall. */
#ifndef HAWSER_DOCTOR_CHECK_FIREWALL_H
#define HAWSER_DOCTOR_CHECK_FIREWALL_H

#include "doctor/doctor_private.h"

/* A check of doctor_host_checks. */
bool doctor_look_firewall(struct doctor *doctor, const struct doctor_subject *subject,
			  struct doctor_finding *out);

/* Fills in out, and returns true, if this host itself drops connections from link to target. */
bool doctor_tell_dropped(struct doctor *doctor, const struct doctor_subject *subject,
			 struct doctor_finding *out);

#endif
