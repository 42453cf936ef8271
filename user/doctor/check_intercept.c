/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the doctor says of interception. */
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "doctor/doctor_private.h"
#include "intercept/apply.h"
#include "intercept/obstacle.h"
#include "intercept/steer_mark.h"

/* Of what has no command that mends it. */
#define DEFAULT_MEND "the section intercept of hawserd's configuration, or: hawser intercept down"

static bool is_up(struct doctor *doctor)
{
	return json_object_get_boolean(json_member(doctor->intercepted, "up"));
}

static bool is_wanted(struct doctor *doctor)
{
	return json_object_get_boolean(
		json_member(json_member(doctor->intercept_answer, "kept"), "wanted"));
}

/* A LAN that is named alone is kept for later: so a router's first configuration has it. */
static bool is_prepared(struct doctor *doctor)
{
	return json_length(json_member(doctor->intercept_answer, "lan")) > 0 &&
	       json_length(json_member(doctor->intercept_answer, "listeners")) > 0;
}

bool doctor_is_intercepting(struct doctor *doctor)
{
	return is_up(doctor) || is_wanted(doctor) || is_prepared(doctor);
}

/* What is in force, or would be. */
static bool make_plan(struct doctor *doctor, struct intercept_plan *plan,
		      struct intercept_fault *fault)
{
	struct json_object *in_force = is_up(doctor) ? doctor->intercepted : NULL;
	struct json_object *lan = json_member(in_force, "lan");

	if (!doctor->intercept_answer)
		return intercept_blame(fault, "hawserd does not answer");
	return intercept_plan_make(plan, doctor->intercept_answer, lan,
				   lan ? json_text(in_force, "method") : NULL, fault);
}

static bool say_fault(struct doctor_finding *out, const struct intercept_fault *fault)
{
	doctor_saw(out, DOCTOR_FAIL, "%s", fault->seen);
	doctor_mend(out, "%s", *fault->mend ? fault->mend : DEFAULT_MEND);
	return true;
}

static bool look_state(struct doctor *doctor, const struct doctor_subject *subject,
		       struct doctor_finding *out)
{
	struct json_object *kept = json_member(doctor->intercept_answer, "kept");
	const char *mend = json_text(kept, "mend");

	(void)subject;
	if (!doctor->intercept_answer) {
		doctor_saw(out, DOCTOR_WARN,
			   "rules are there, but hawserd does not answer: the "
			   "LAN is routed");
		doctor_mend(out, "start hawserd, or: hawser intercept down");
	} else if (*json_text(kept, "fault")) {
		doctor_saw(out, DOCTOR_FAIL, "broken: %s%s", json_text(kept, "fault"),
			   json_object_get_boolean(json_member(kept, "routed"))
				   ? "; the LAN is routed"
				   : "");
		doctor_mend(out, "%s", *mend ? mend : DEFAULT_MEND);
	} else if (!doctor->intercepted) {
		doctor_saw(out, DOCTOR_WARN,
			   "not known: without CAP_NET_ADMIN nobody sees what is in force");
		doctor_mend(out, "hawser doctor, as root");
	} else if (!is_up(doctor)) {
		doctor_saw(out, is_wanted(doctor) ? DOCTOR_FAIL : DOCTOR_OK, "down");
		if (is_wanted(doctor))
			doctor_mend(out, "hawser intercept up");
	} else if (!is_wanted(doctor)) {
		doctor_saw(out, DOCTOR_WARN, "up, but hawserd does not know and puts nothing back");
		doctor_mend(out, "hawser intercept up, as the user that runs hawserd and with its "
				 "--control and its /run");
	} else if (doctor_is_disturbed(kept)) {
		doctor_saw(out, DOCTOR_WARN,
			   "others have deleted what is needed %" PRIu64 " times; last: %s",
			   json_count(kept, "put_back"), json_text(kept, "last"));
		doctor_mend(out, DOCTOR_DISTURBED_MEND);
	} else {
		doctor_saw(out, DOCTOR_OK, "up, %s", json_text(doctor->intercepted, "method"));
	}
	return true;
}

static bool look_lan(struct doctor *doctor, const struct doctor_subject *subject,
		     struct doctor_finding *out)
{
	struct intercept_fault fault = {0};
	struct intercept_plan plan;

	(void)subject;
	/* What nobody sees may be of --lan. */
	if (!doctor->intercept_answer || (!doctor->intercepted && !is_prepared(doctor)))
		return false;
	if (!make_plan(doctor, &plan, &fault) ||
	    intercept_lan_is_wan(&plan, doctor->intercept_answer, &fault))
		return say_fault(out, &fault);
	for (size_t i = 0; i < json_length(plan.lan); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(plan.lan, i));

		if (if_nametoindex(name))
			continue;
		doctor_saw(out, DOCTOR_WARN, "there is no interface \"%s\"", name);
		doctor_mend(out, "intercept { lan = { ... } } or --lan, with a name of ip link");
		return true;
	}
	return false;
}

static bool look_routing(struct doctor *doctor, const struct doctor_subject *subject,
			 struct doctor_finding *out)
{
	struct intercept_fault fault = {0};
	struct intercept_plan plan;

	(void)subject;
	if (!is_up(doctor) || !make_plan(doctor, &plan, &fault))
		return false;
	if (!intercept_lacks(&plan, &fault)) {
		doctor_saw(out, DOCTOR_OK, "what is taken comes to this host");
		return true;
	}
	doctor_saw(out, DOCTOR_FAIL,
		   "%s has no effect: it was deleted, or something comes "
		   "before it",
		   fault.seen);
	doctor_mend(out,
		    "hawser intercept up; ip rule: none of priority 0 may be for packets with "
		    "mark 0x%x",
		    STEER_MARK);
	return true;
}

/* Whether a client is accepted before its destination has answered, which it cannot take back. */
static bool look_holding(struct doctor *doctor, const struct doctor_subject *subject,
			 struct doctor_finding *out)
{
	struct json_object *answer = doctor->intercept_answer;
	const char *method = json_text(doctor->intercepted, "method");

	(void)subject;
	if (!is_up(doctor) || !answer)
		return false;
	if (strcmp(method, intercept_method_words[INTERCEPT_TPROXY]) != 0) {
		doctor_saw(out, DOCTOR_OK,
			   "clients are accepted before their destination, as always by %s: every "
			   "port looks open",
			   method);
	} else if (!json_object_get_boolean(json_member(answer, "connect_first"))) {
		doctor_saw(out, DOCTOR_OK,
			   "clients are accepted before their destination (connect-first = no)");
	} else if (json_object_get_boolean(json_member(answer, "holds"))) {
		doctor_saw(out, DOCTOR_OK, "clients are accepted once their destination is");
	} else {
		doctor_saw(out, DOCTOR_WARN,
			   "clients are accepted before their destination: hawserd holds no first "
			   "packets");
		doctor_mend(out, "hawserd's log says why (connect-first); it needs CAP_NET_RAW, "
				 "nfnetlink_log and a firewall that accepts its own packets on lo");
	}
	return true;
}

static bool look_bridge(struct doctor *doctor, const struct doctor_subject *subject,
			struct doctor_finding *out)
{
	struct intercept_fault fault = {0};
	struct intercept_plan plan;

	(void)subject;
	return make_plan(doctor, &plan, &fault) && intercept_bridge_spoils(&plan, &fault) &&
	       say_fault(out, &fault);
}

static bool look_firewall(struct doctor *doctor, const struct doctor_subject *subject,
			  struct doctor_finding *out)
{
	struct intercept_fault fault = {0};
	struct intercept_plan plan;

	(void)subject;
	if (!doctor->rules || !make_plan(doctor, &plan, &fault))
		return false;
	if (intercept_firewall_drops(&plan, doctor->rules, &fault))
		return say_fault(out, &fault);
	doctor_saw(out, DOCTOR_OK, "no rule of nftables keeps out what is taken");
	return true;
}

/* What is not taken is routed by this host, or not at all. */
static bool look_forwarding(struct doctor *doctor, const struct doctor_subject *subject,
			    struct doctor_finding *out)
{
	static const char *const settings[INTERCEPT_FAMILIES] = {"net/ipv4/ip_forward",
								 "net/ipv6/conf/all/forwarding"};
	struct intercept_fault fault = {0};
	struct intercept_plan plan;

	(void)subject;
	if (!make_plan(doctor, &plan, &fault))
		return false;
	for (int i = 0; i < INTERCEPT_FAMILIES; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/sys/%s", settings[i]);
		if (!intercept_plan_has(&plan, i) || doctor_read_setting(path) != 0)
			continue;
		doctor_saw(out, DOCTOR_FAIL,
			   "this host does not forward %s: what is not taken is lost",
			   intercept_family_names[i]);
		doctor_mend(out, "sysctl -w %s=1", settings[i]);
		return true;
	}
	return false;
}

const struct doctor_check doctor_intercept_checks[] = {
	{"state", look_state, false},		{"lan", look_lan, false},
	{"forwarding", look_forwarding, false}, {"connect-first", look_holding, false},
	{"bridge", look_bridge, false},		{"firewall", look_firewall, false},
	{"routing", look_routing, false},	{NULL, NULL, false},
};
