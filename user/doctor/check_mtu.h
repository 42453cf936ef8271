/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's checks by echo requests from a link to a target. */
#ifndef HAWSER_DOCTOR_CHECK_MTU_H
#define HAWSER_DOCTOR_CHECK_MTU_H

#include <stdbool.h>

struct doctor;
struct doctor_finding;
struct doctor_subject;

/* Whether the target's machine answers at all, by other packets than TCP's. */
bool doctor_answers_echo(const struct doctor_subject *subject);

/* A check: the largest packet that passes. */
bool doctor_look_mtu(struct doctor *doctor, const struct doctor_subject *subject,
		     struct doctor_finding *out);

#endif
