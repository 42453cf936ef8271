/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's checks of the way from one link to an exit or destination: TCP, packet size, MPTCP.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "doctor/check_firewall.h"
#include "doctor/check_join.h"
#include "doctor/check_mtu.h"
#include "doctor/connect.h"
#include "doctor/doctor_private.h"
#include "net/mptcp.h"
#include "net/mptcp_blackhole.h"
#include "net/socket_reset.h"

static const union address *source_of(const struct doctor_subject *subject)
{
	return &subject->link->paths[subject->family].address;
}

static const union address *target_of(const struct doctor_subject *subject)
{
	return &subject->target->addresses[subject->family];
}

/* By the link and no other. */
static int connect_by(const struct doctor_subject *subject, bool want_mptcp, double *took_s)
{
	return doctor_connect(source_of(subject), subject->link->device, target_of(subject),
			      want_mptcp, took_s);
}

/* A portal or firewall on the way answers in the target's name. */
static void mend_refusal(const struct doctor_subject *subject, uint16_t port,
			 struct doctor_finding *out)
{
	const bool by_link = *subject->link->device;

	doctor_mend(out,
		    subject->target->exit
			    ? "%son the exit, run: hawserd --serve-exit ADDRESS:%u --tokens FILE; "
			      "or correct the port in section exit (a firewall may refuse, too)%s"
			    : "%ssee whether port %u is right and its service runs%s",
		    by_link ? "if every link fails: " : "", port,
		    by_link ? "; if only this one: somebody on its way refuses, as portals do "
			      "that want a log-in"
			    : "");
}

static void tell_unreached(struct doctor *doctor, const struct doctor_subject *subject, int err,
			   struct doctor_finding *out)
{
	const uint16_t port = address_port(target_of(subject));
	char text[ADDRESS_TEXT_MAX];

	if (doctor_tell_dropped(doctor, subject, out))
		return;
	address_format(target_of(subject), text);
	switch (err) {
	case ECONNREFUSED:
		doctor_saw(out, DOCTOR_FAIL, "%s refuses the connection", text);
		mend_refusal(subject, port, out);
		return;
	case EACCES:
	case EPERM:
		doctor_saw(out, DOCTOR_FAIL, "this host refuses to send to %s", text);
		doctor_mend(out, "find the rule that forbids it: nft list ruleset; ip rule show");
		return;
	case ENETUNREACH:
	case EHOSTUNREACH:
		doctor_saw(out, DOCTOR_FAIL, "no route leads to %s: %s", text, strerror(err));
		doctor_mend(out, "see route and gateway of the link above, then: traceroute -i %s",
			    *subject->link->device ? subject->link->device : "INTERFACE");
		return;
	case ETIMEDOUT:
		break;
	default:
		doctor_saw(out, DOCTOR_FAIL, "%s: %s", text, strerror(err));
		doctor_mend(out, "see the address of the link above");
		return;
	}
	if (doctor_answers_echo(subject)) {
		doctor_saw(out, DOCTOR_FAIL,
			   "%s answers echo requests but not TCP: a firewall drops it", text);
		doctor_mend(out,
			    "accept tcp dport %u in the target's firewall and in its provider's "
			    "(see 'nft list ruleset' on both hosts)",
			    port);
	} else {
		doctor_saw(out, DOCTOR_FAIL, "%s answers neither TCP nor echo requests", text);
		doctor_mend(out,
			    "see whether that host runs, its address is right, and it blocks %s",
			    *subject->link->device ? subject->link->name : "this host");
	}
}

static bool look_reach(struct doctor *doctor, const struct doctor_subject *subject,
		       struct doctor_finding *out)
{
	char text[ADDRESS_TEXT_MAX];
	double took_s;
	const int fd = connect_by(subject, false, &took_s);

	if (fd < 0) {
		tell_unreached(doctor, subject, -fd, out);
		return true;
	}
	doctor_saw(out, DOCTOR_OK, "TCP connects to %s in %.1f ms",
		   address_format(target_of(subject), text), took_s * 1e3);
	socket_reset(fd);
	return true;
}

static void mend_stripped(const struct doctor_subject *subject, struct doctor_finding *out)
{
	const char *there = subject->target->exit
				    ? "run 'sysctl -w net.mptcp.enabled=1' on the exit"
				    : "its server does not speak MPTCP (mptcpize run SERVER)";

	if (*subject->link->device)
		doctor_mend(out,
			    "if every link fails: %s; if only this one: ask its provider, or use a "
			    "tunnel (WireGuard) over it",
			    there);
	else
		doctor_mend(out, "%s; or use a tunnel (WireGuard) to it", there);
}

static void judge_connection(const struct doctor_subject *subject, int fd,
			     struct mptcp_blackhole *pause, struct doctor_finding *out)
{
	struct json_object *const exit = subject->target->exit;
	int err;

	if (mptcp_transport(fd) != TRANSPORT_MPTCP) {
		if (mptcp_blackhole_likely(pause, clock_monotonic_s())) {
			doctor_saw(out, DOCTOR_FAIL,
				   "this kernel avoids MPTCP for a while, since SYNs with it were "
				   "lost");
			doctor_mend(out,
				    "sysctl -w net.mptcp.blackhole_timeout=0 (then find the link "
				    "that swallows them)");
			return;
		}
		doctor_saw(out, exit ? DOCTOR_FAIL : DOCTOR_WARN,
			   "the connection falls back to TCP in the handshake: the SYN/ACK has no "
			   "MP_CAPABLE");
		mend_stripped(subject, out);
		return;
	}
	if (!exit || subject->target->silent) {
		doctor_saw(out, DOCTOR_OK, "the MPTCP handshake works");
		return;
	}
	err = doctor_greet(fd);
	/* That wait need not be had for each link. */
	subject->target->silent = err == -ETIMEDOUT;
	if (err) {
		doctor_saw(out, DOCTOR_FAIL,
			   "the MPTCP handshake works, but then the exit is silent: %s",
			   strerror(-err));
		doctor_mend(out,
			    "see 'answers' above; if the exit answers, something on the way drops "
			    "MPTCP's data: use a tunnel (WireGuard) over this link");
	} else if (mptcp_transport(fd) != TRANSPORT_MPTCP) {
		doctor_saw(out, DOCTOR_FAIL,
			   "the connection falls back to TCP after the handshake: something strips "
			   "the options of later packets");
		doctor_mend(out,
			    "ask this link's provider, whose proxy may do this, or use a tunnel "
			    "(WireGuard) over it");
	} else {
		doctor_saw(out, DOCTOR_OK, "the MPTCP handshake and data work");
	}
}

static bool look_mptcp(struct doctor *doctor, const struct doctor_subject *subject,
		       struct doctor_finding *out)
{
	struct mptcp_blackhole pause;
	double took_s;
	int fd;

	if (!doctor->mptcp || !mptcp_tells_fallback())
		return false;
	mptcp_blackhole_init(&pause);
	fd = connect_by(subject, true, &took_s);
	if (fd < 0) {
		doctor_saw(out, DOCTOR_FAIL, "TCP connects, but MPTCP does not: %s", strerror(-fd));
		doctor_mend(out,
			    "something on the way drops SYNs with MPTCP's option: look for rules "
			    "with \"tcp option mptcp\", or use a tunnel (WireGuard)");
		return true;
	}
	judge_connection(subject, fd, &pause, out);
	socket_reset(fd);
	return true;
}

const struct doctor_check doctor_path_checks[] = {
	{"reach", look_reach, true}, {"mtu", doctor_look_mtu, false},
	{"mptcp", look_mptcp, true}, {"join", doctor_look_join, false},
	{NULL, NULL, false},
};
