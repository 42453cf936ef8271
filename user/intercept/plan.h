/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `hawser intercept up` is to put into force, made from hawserd's answer to "intercept". */
#ifndef HAWSER_INTERCEPT_PLAN_H
#define HAWSER_INTERCEPT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "intercept/nft_rules.h"

#define INTERCEPT_TEXT_MAX 320

/* What is wrong, and what mends it, for people; "" when nothing is. */
struct intercept_fault {
	char seen[INTERCEPT_TEXT_MAX];
	char mend[INTERCEPT_TEXT_MAX];
};

extern const int intercept_families[INTERCEPT_FAMILIES];	     /* AF_INET, ... */
extern const char *const intercept_family_names[INTERCEPT_FAMILIES]; /* "IPv4", ... */

/* lan, an array of names, and method replace what the settings say; NULL leaves it. The plan
 * borrows from settings and lan. False with a fault when there can be none. */
bool intercept_plan_make(struct intercept_plan *plan, struct json_object *settings,
			 struct json_object *lan, const char *method,
			 struct intercept_fault *fault);

bool intercept_plan_has(const struct intercept_plan *plan, int family);

/* Whether it needs the mark, and the rule and route for it. */
bool intercept_plan_marks(const struct intercept_plan *plan);

/* Fills in a fault. Returns false. */
bool intercept_blame(struct intercept_fault *fault, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void intercept_mend(struct intercept_fault *fault, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
