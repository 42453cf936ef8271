/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the checks of `hawser doctor` look at, and how they say what they found. */
#ifndef HAWSER_DOCTOR_DOCTOR_PRIVATE_H
#define HAWSER_DOCTOR_DOCTOR_PRIVATE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "cli/control_client.h"
#include "config/link_config.h"
#include "net/mptcp_pm.h"
#include "net/net_view.h"

struct token;

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_VERDICTS };

struct doctor_finding {
	enum doctor_verdict verdict;
	char seen[640];
	char mend[256]; /* a command or setting; "" when all is well */
};

/* A family of a link, as hawserd sees it. */
struct doctor_path {
	union address address; /* AF_UNSPEC: none */
	union address gateway; /* the same; also where none is needed */
	bool routed;	       /* it has a way out */
	bool taken;	       /* no, as another link with the same address uses it */
	bool works;
};

struct doctor_link {
	const char *name;
	const char *device; /* "": whatever the kernel chooses */
	const char *state;
	const char *login; /* how to get through the portal that it is behind; "": it is not */
	int index;	   /* of the device; 0: there is none */
	uint32_t table;
	struct doctor_path paths[IP_FAMILIES];
};

/* An exit, or what was given on the command line. */
struct doctor_target {
	const char *name;
	struct destination destination;
	union address also;		      /* of an exit; AF_UNSPEC: none */
	union address addresses[IP_FAMILIES]; /* with the port; AF_UNSPEC: none */
	struct json_object *exit;	      /* as hawserd reports it; NULL: no exit */
	const struct token *token;	      /* to ask it with; NULL: hawserd does that */
	bool silent;			      /* found to say nothing once connected */
};

/* What all checks may look at. */
struct doctor {
	const char *control_path;
	struct json_object *status; /* hawserd's answers; NULL: it does not answer */
	struct json_object *link_answer;
	struct json_object *exit_answer;
	struct json_object *intercept_answer;
	struct json_object *intercepted;	      /* what is in force; NULL: not known */
	struct json_object *rules;		      /* of nftables; NULL: not known */
	int control_errno;			      /* why nobody is there; 0: somebody is, */
	char control_problem[CONNECTION_PROBLEM_MAX]; /* and why it does not answer */
	bool mptcp;	      /* this kernel has it, and it is switched on */
	bool set_up;	      /* hawserd sets up the links */
	bool endpoints_known; /* and the limits */
	struct mptcp_pm_limits limits;
	struct netlink *netlink;
	struct net_view view;
	struct mptcp_pm_endpoint endpoints[MPTCP_PM_ENDPOINTS_MAX];
	size_t endpoint_count;
	struct doctor_link links[LINKS_MAX];
	size_t link_count;
	struct json_object *checks; /* all findings; printed at once if json */
	bool json;
	enum doctor_verdict worst;
};

/* What one check looks at; NULL and 0 where it is about something else. */
struct doctor_subject {
	const char *kind; /* "host", "interception", "link", "exit", "destination" */
	const char *name;
	const struct doctor_link *link;
	enum ip_family family;
	bool of_family; /* family counts */
	struct doctor_target *target;
};

struct doctor_check {
	const char *name;
	/* Fills in a finding that is zero; false: there is nothing to look at. */
	bool (*look)(struct doctor *doctor, const struct doctor_subject *subject,
		     struct doctor_finding *out);
	bool decisive; /* when it fails, the rest of the table would say the same again */
};

/* The tables end with a check without a name. */
extern const struct doctor_check doctor_host_checks[];
extern const struct doctor_check doctor_intercept_checks[];
extern const struct doctor_check doctor_link_checks[];
extern const struct doctor_check doctor_family_checks[]; /* of a link, for each family */
extern const struct doctor_check doctor_target_checks[];
extern const struct doctor_check doctor_path_checks[]; /* from a link to a target, likewise */

/* From kept, or what hawserd says of links: whether others delete our state again and again. */
bool doctor_is_disturbed(struct json_object *kept);

#define DOCTOR_DISTURBED_MEND                                                                      \
	"tell who does it to leave it: systemd-networkd by ManageForeignRoutingPolicyRules=no "    \
	"and ManageForeignRoutes=no, a firewall by not flushing all tables"

/* Whether interception is up, or anybody means it to be. */
bool doctor_is_intercepting(struct doctor *doctor);

/* A number of /proc/sys; -1 where there is no such setting. */
long doctor_read_setting(const char *path);

/* What was seen, and what mends it; for people. */
void doctor_saw(struct doctor_finding *finding, enum doctor_verdict verdict, const char *format,
		...) __attribute__((format(printf, 3, 4)));
void doctor_mend(struct doctor_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Does the checks of a table and prints each finding. False when a decisive one failed. */
bool doctor_do(struct doctor *doctor, const struct doctor_check *table,
	       const struct doctor_subject *subject);

/* Above the findings of a subject; with JSON it prints nothing. */
void doctor_head(const struct doctor *doctor, const char *kind, const char *name);

/* The JSON, or a last line. */
void doctor_print_end(struct doctor *doctor);

/* Of tell.c: hands hawserd what was found; verdict is of all. */
void doctor_tell(struct doctor *doctor, const char *verdict);

#endif
