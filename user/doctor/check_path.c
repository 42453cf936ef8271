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
#include "doctor/doctor.h"
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
		doctor_saw(out, DOCTOR_FAIL, "%s refuses: nobody listens there", text);
		doctor_mend(out,
			    subject->target->exit
				    ? "there: hawserd --serve-exit ADDRESS:%u --tokens FILE; "
				      "or mend the port of section exit (firewalls may refuse, "
				      "too)"
				    : "is port %u right, and its service up?",
			    port);
		return;
	case EACCES:
	case EPERM:
		doctor_saw(out, DOCTOR_FAIL, "this host refuses to send to %s", text);
		doctor_mend(out, "look for what forbids it: nft list ruleset; ip rule show");
		return;
	case ENETUNREACH:
	case EHOSTUNREACH:
		doctor_saw(out, DOCTOR_FAIL, "no way to %s: %s", text, strerror(err));
		doctor_mend(out, "see route and gateway of the link; then: traceroute -i %s",
			    *subject->link->device ? subject->link->device : "INTERFACE");
		return;
	case ETIMEDOUT:
		break;
	default:
		doctor_saw(out, DOCTOR_FAIL, "%s: %s", text, strerror(err));
		doctor_mend(out, "see the address of the link");
		return;
	}
	if (doctor_answers_echo(subject)) {
		doctor_saw(out, DOCTOR_FAIL,
			   "%s: echo is answered, TCP is not: a firewall drops it", text);
		doctor_mend(out,
			    "nft list ruleset, here and there; there: accept tcp dport %u (and in "
			    "the provider's firewall)",
			    port);
	} else {
		doctor_saw(out, DOCTOR_FAIL, "%s: neither TCP nor echo is answered", text);
		doctor_mend(out, "is the machine up, and its address right? is %s blocked there?",
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
	doctor_saw(out, DOCTOR_OK, "TCP to %s in %.1f ms", address_format(target_of(subject), text),
		   took_s * 1e3);
	socket_reset(fd);
	return true;
}

static void mend_stripped(const struct doctor_subject *subject, struct doctor_finding *out)
{
	const char *there = subject->target->exit
				    ? "sysctl -w net.mptcp.enabled=1 there"
				    : "its server does not speak it (mptcpize run SERVER there)";

	if (*subject->link->device)
		doctor_mend(out,
			    "on every link so: %s; on this alone: ask its provider, or a tunnel "
			    "(WireGuard) over it",
			    there);
	else
		doctor_mend(out, "%s; or a tunnel (WireGuard) to it", there);
}

static void judge_connection(const struct doctor_subject *subject, int fd,
			     struct mptcp_pause *pause, struct doctor_finding *out)
{
	struct json_object *const exit = subject->target->exit;
	int err;

	if (mptcp_transport(fd) != TRANSPORT_MPTCP) {
		if (mptcp_pause_likely(pause, clock_monotonic_s())) {
			doctor_saw(out, DOCTOR_FAIL,
				   "this kernel holds MPTCP back: SYNs with it were lost before");
			doctor_mend(out, "sysctl -w net.mptcp.blackhole_timeout=0, then find the "
					 "link that swallows them");
			return;
		}
		doctor_saw(out, exit ? DOCTOR_FAIL : DOCTOR_WARN,
			   "falls back to TCP in the handshake: no MP_CAPABLE in the SYN/ACK");
		mend_stripped(subject, out);
		return;
	}
	if (!exit || subject->target->silent) {
		doctor_saw(out, DOCTOR_OK, "handshake is done");
		return;
	}
	err = doctor_greet(fd);
	/* That wait need not be had for each link. */
	subject->target->silent = err == -ETIMEDOUT;
	if (err) {
		doctor_saw(out, DOCTOR_FAIL, "handshake is done, but then the exit is silent: %s",
			   strerror(-err));
		doctor_mend(out, "see whether the exit answers, above; else something on the way "
				 "drops MPTCP's data: a tunnel (WireGuard) over this link");
	} else if (mptcp_transport(fd) != TRANSPORT_MPTCP) {
		doctor_saw(out, DOCTOR_FAIL,
			   "falls back to TCP after the handshake: options of later packets are "
			   "stripped");
		doctor_mend(out, "ask this link's provider, or a tunnel (WireGuard) over it; "
				 "a proxy of the provider does this");
	} else {
		doctor_saw(out, DOCTOR_OK, "handshake and data");
	}
}

static bool look_mptcp(struct doctor *doctor, const struct doctor_subject *subject,
		       struct doctor_finding *out)
{
	struct mptcp_pause pause;
	double took_s;
	int fd;

	if (!doctor->mptcp || !mptcp_tells_fallback())
		return false;
	mptcp_pause_init(&pause);
	fd = connect_by(subject, true, &took_s);
	if (fd < 0) {
		doctor_saw(out, DOCTOR_FAIL, "TCP connects, MPTCP does not: %s", strerror(-fd));
		doctor_mend(out, "something on the way drops SYNs with MPTCP's option: look for "
				 "rules with \"tcp option mptcp\"; else a tunnel (WireGuard)");
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
