/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All rules of nftables on this host, as far as it takes bounded memory to read their sets. */
#ifndef HAWSER_INTERCEPT_RULESET_H
#define HAWSER_INTERCEPT_RULESET_H

struct json_object;

/* In the format of libnftables-json(5); the caller's. Sets with a name have "elem", an array that
 * may be empty, where they are few and small; what is in the others is not known. NULL if the rules
 * cannot be had. */
struct json_object *intercept_list_rules(void);

#endif
