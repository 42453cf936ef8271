/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's checks of one exit or destination as a whole: its name, and what hawserd knows. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cause.h"
#include "base/json.h"
#include "doctor/connect.h"
#include "doctor/dns.h"
#include "doctor/doctor_private.h"
#include "net/socket_reset.h"

/* hawserd tells offsets only of clocks that an exit complained of. */
#define CLOCK_WARN_MS 1000

static bool look_name(struct doctor *doctor, const struct doctor_subject *subject,
		      struct doctor_finding *out)
{
	struct doctor_target *target = subject->target;
	const struct destination *destination = &target->destination;
	const char *error;
	char texts[IP_FAMILIES][ADDRESS_TEXT_MAX] = {"", ""};

	(void)doctor;
	if (!destination->host[0]) {
		target->addresses[address_family(&destination->address)] = destination->address;
		if (target->also.sa.sa_family != AF_UNSPEC)
			target->addresses[address_family(&target->also)] = target->also;
		return false;
	}
	error = doctor_dns_find(destination->host, target->addresses);
	if (error) {
		doctor_saw(out, DOCTOR_FAIL, "%s: %s%s", destination->host, error,
			   strcmp(json_text(target->exit, "state"), "up") == 0
				   ? "; hawserd goes on with addresses that it knew"
				   : "");
		doctor_mend(out, "see dns above, or use an address in place of the name");
		return true;
	}
	for (enum ip_family family = 0; family < IP_FAMILIES; family++) {
		union address *address = &target->addresses[family];

		if (address->sa.sa_family == AF_UNSPEC)
			continue;
		address_set_port(address, destination->port);
		address_format_ip(address, texts[family]);
	}
	doctor_saw(out, DOCTOR_OK, "%s is %s%s%s", destination->host, texts[IP_V4],
		   *texts[IP_V4] && *texts[IP_V6] ? ", " : "", texts[IP_V6]);
	return true;
}

static const struct {
	const char *cause; /* of hawserd's report */
	const char *mend;
} failures[] = {
	{"auth-failed",
	 "put the line of token-file into the exit's --tokens file, and name this exit as "
	 "--exit-name does there ('hawser token new' makes a token)"},
	{"clock", "set both clocks: timedatectl set-ntp true"},
	{"refused", "on the exit, run: hawserd --serve-exit ADDRESS:PORT --tokens FILE"},
	{"connect-timeout", "see reach below"},
	{"host-unreachable", "see reach below"},
	{"network-unreachable", "see route and gateway of the links above"},
	{"exit-silent",
	 "see whether hawserd on the exit is stopped or hangs; start it again there"},
	{"exit-broken",
	 "see whether that is an exit: it needs hawserd --serve-exit of this version"},
	{"not-mptcp", "see mptcp below, or set mptcp = \"auto\" in section upstream"},
	{"name-not-found", "see dns above"},
	{"resolve-failed", "see dns above"},
	{"limit", "raise sessions=N of this token in the exit's --tokens file"},
};

static const char *mend_of(const char *cause)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++)
		if (strcmp(failures[i].cause, cause) == 0)
			return failures[i].mend;
	return "see the logs of hawserd here and on the exit";
}

/* A connection to the exit as the kernel routes it; MPTCP, since that is what hops use. */
static int connect_any(const struct doctor_target *target, double *took_s)
{
	const union address any = {.sa.sa_family = AF_UNSPEC};
	int fd = -ENETUNREACH;

	for (enum ip_family family = 0; family < IP_FAMILIES && fd < 0; family++)
		if (target->addresses[family].sa.sa_family != AF_UNSPEC)
			fd = doctor_connect(&any, "", &target->addresses[family], true, took_s);
	return fd;
}

/* Without hawserd. */
static bool look_token(const struct doctor_target *target, struct doctor_finding *out)
{
	double took_s = 0;
	const int fd = connect_any(target, &took_s);
	enum cause cause = fd < 0 ? cause_from_errno(-fd) : CAUSE_NONE;

	if (fd >= 0 && doctor_ask_exit(fd, target->token, target->name, &cause, &took_s)) {
		doctor_saw(out, DOCTOR_OK, "it accepts the token and answers in %.1f ms",
			   took_s * 1e3);
	} else if (cause == CAUSE_CLOCK) {
		/* Which it proves with the token's key. */
		doctor_saw(out, DOCTOR_WARN,
			   "it knows the token; its clock differs, which hawserd corrects");
		doctor_mend(out, "set both clocks: timedatectl set-ntp true");
	} else {
		doctor_saw(out, DOCTOR_FAIL, "it does not answer as an exit: %s",
			   cause_info(cause)->text);
		doctor_mend(out, "%s", mend_of(cause_info(cause)->name));
	}
	if (fd >= 0)
		socket_reset(fd);
	return true;
}

/* By hawserd's own probes, which are authenticated. */
static bool look_answers(struct doctor *doctor, const struct doctor_subject *subject,
			 struct doctor_finding *out)
{
	struct json_object *exit = subject->target->exit;
	const char *state = json_text(exit, "state");
	const char *cause = json_text(exit, "last_failure");

	(void)doctor;
	if (!exit)
		return false;
	if (subject->target->token)
		return look_token(subject->target, out);
	if (strcmp(state, "up") == 0) {
		doctor_saw(out, DOCTOR_OK, "it accepts the token and answers in %.1f ms",
			   json_seconds(exit, "rtt_s") * 1e3);
	} else if (strcmp(state, "down") == 0) {
		doctor_saw(out, DOCTOR_FAIL, "it is down: %s, %.0f s ago", cause,
			   json_seconds(exit, "last_failure_age_s"));
		doctor_mend(out, "%s", mend_of(cause));
	} else {
		doctor_saw(out, DOCTOR_WARN, "it has not answered hawserd yet%s%s",
			   *cause ? ": " : "", cause);
		doctor_mend(out, "%s",
			    *cause ? mend_of(cause) : "run doctor again in some seconds");
	}
	return true;
}

/* Of the token that this router has. */
static bool look_room(struct doctor *doctor, const struct doctor_subject *subject,
		      struct doctor_finding *out)
{
	struct json_object *full = json_member(subject->target->exit, "full_for_s");

	(void)doctor;
	if (!full)
		return false;
	doctor_saw(out, DOCTOR_WARN, "it has had no room for more sessions of our token for %.0f s",
		   json_object_get_double(full));
	doctor_mend(out, "%s", mend_of("limit"));
	return true;
}

/* What answers no more, of several. */
static bool look_avoided(struct doctor *doctor, const struct doctor_subject *subject,
			 struct doctor_finding *out)
{
	struct json_object *avoided = json_member(subject->target->exit, "avoided");

	(void)doctor;
	if (json_length(avoided) == 0)
		return false;
	doctor_saw(out, DOCTOR_WARN, "it does not answer at %s, and at another address it does",
		   json_object_get_string(json_object_array_get_idx(avoided, 0)));
	doctor_mend(out, "on the exit, --serve-exit at every address that its name has; or take "
			 "that address out of the name");
	return true;
}

static bool look_clock(struct doctor *doctor, const struct doctor_subject *subject,
		       struct doctor_finding *out)
{
	struct json_object *exit = subject->target->exit;
	const int64_t ahead_ms = json_object_get_int64(json_member(exit, "clock_offset_ms"));
	const bool answered = strcmp(json_text(exit, "state"), "up") == 0 || ahead_ms != 0;

	(void)doctor;
	if (!answered)
		return false; /* nothing is known */
	if (llabs(ahead_ms) < CLOCK_WARN_MS) {
		doctor_saw(out, DOCTOR_OK, "it agrees with ours as far as the exit needs");
		return true;
	}
	doctor_saw(out, DOCTOR_WARN,
		   "the exit's clock is %" PRId64 " s %s ours; hawserd corrects for it",
		   (int64_t)llabs(ahead_ms) / 1000, ahead_ms > 0 ? "ahead of" : "behind");
	doctor_mend(out, "timedatectl set-ntp true (on the host whose clock is wrong); hawserd "
			 "reads it when it starts");
	return true;
}

/* A link that has no address of a family that the target has is of no use to it. */
static bool look_family(struct doctor *doctor, const struct doctor_subject *subject,
			struct doctor_finding *out)
{
	bool shared = false;
	bool works = false;

	for (size_t i = 0; i < doctor->link_count; i++) {
		for (enum ip_family family = 0; family < IP_FAMILIES; family++) {
			const bool has =
				subject->target->addresses[family].sa.sa_family != AF_UNSPEC;

			works = works || doctor->links[i].paths[family].works;
			shared = shared || (has && doctor->links[i].paths[family].works);
		}
	}
	if (shared || doctor->link_count == 0)
		return false;
	doctor_saw(out, DOCTOR_FAIL, "%s",
		   works ? "no link works for its address family" : "no link works");
	doctor_mend(out, "see the links above");
	return true;
}

const struct doctor_check doctor_target_checks[] = {
	{"name", look_name, true},    {"answers", look_answers, false},
	{"room", look_room, false},   {"addresses", look_avoided, false},
	{"clock", look_clock, false}, {"links", look_family, true},
	{NULL, NULL, false},
};
