/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a further subflow joins by a link. A path may let pass what begins a connection with
 * MPTCP, and drop or reset what joins one. */
#include "doctor/check_join.h"

#include <linux/mptcp.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "base/clock.h"
#include "doctor/connect.h"
#include "net/mptcp.h"
#include "net/socket_reset.h"
#include "net/subflow.h"

/* A SYN, and the one that is sent again after a second. */
#define JOIN_S 2.5
#define LOOK_S 0.02
/* And two round trips: whoever refuses the join's last ACK has said so by then. */
#define SETTLE_S 0.05

static bool has_endpoint(const struct doctor *doctor, const union address *address)
{
	for (size_t i = 0; i < doctor->endpoint_count; i++)
		if (address_same_ip(&doctor->endpoints[i].address, address) &&
		    doctor->endpoints[i].flags & MPTCP_PM_ADDR_FLAG_SUBFLOW)
			return true;
	return false;
}

/* An MPTCP connection to the exit over which data went; -1: there is none. */
static int connect_from(const union address *source, const union address *target)
{
	double took_s;
	int fd = doctor_connect(source, "", target, true, &took_s);

	if (fd < 0)
		return -1;
	if (mptcp_transport(fd) == TRANSPORT_MPTCP && doctor_greet(fd) == 0 &&
	    mptcp_transport(fd) == TRANSPORT_MPTCP)
		return fd;
	socket_reset(fd);
	return -1;
}

/* By any link but this one, whose name is then in *by. */
static int connect_by_another(const struct doctor *doctor, const struct doctor_subject *subject,
			      const char **by)
{
	const union address *target = &subject->target->addresses[subject->family];

	for (size_t i = 0; i < doctor->link_count; i++) {
		const struct doctor_link *link = &doctor->links[i];
		const struct doctor_path *path = &link->paths[subject->family];
		int fd = link != subject->link && path->works ? connect_from(&path->address, target)
							      : -1;

		*by = link->name;
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* In seconds, of the subflow that begins here; negative: there is none, or not yet. */
static double joined_rtt_s(int fd, const union address *source)
{
	struct subflow subflows[SUBFLOWS_MAX];
	const size_t count = subflow_list(fd, TRANSPORT_MPTCP, subflows);

	for (size_t i = 0; i < count; i++)
		if (address_same_ip(&subflows[i].local, source) &&
		    subflows[i].state == TCP_ESTABLISHED)
			return subflows[i].rtt_us / 1e6;
	return -1.;
}

/* And stays. */
static bool await_join(int fd, const union address *source, double *rtt_s)
{
	const double end_s = clock_monotonic_s() + JOIN_S;
	double since_s = -1.;

	while (clock_monotonic_s() < end_s) {
		const double found_s = joined_rtt_s(fd, source);
		const double now_s = clock_monotonic_s();

		if (found_s < 0) {
			since_s = -1.;
		} else if (since_s < 0) {
			since_s = now_s;
			*rtt_s = found_s;
		} else if (now_s - since_s > SETTLE_S + 2 * found_s) {
			return true;
		}
		(void)poll(NULL, 0, (int)(LOOK_S * 1000));
	}
	return false;
}

bool doctor_look_join(struct doctor *doctor, const struct doctor_subject *subject,
		      struct doctor_finding *out)
{
	const union address *source = &subject->link->paths[subject->family].address;
	const char *by;
	double rtt_s = 0.;
	int fd;

	/* Without data both ways the kernel asks for no further subflow. */
	if (!doctor->mptcp || !mptcp_tells_fallback() || !subject->target->exit ||
	    subject->target->silent)
		return false;
	if (!has_endpoint(doctor, source) || doctor->limits.subflows + 1 < doctor->link_count)
		return false; /* other checks say so */
	fd = connect_by_another(doctor, subject, &by);
	if (fd < 0)
		return false;
	if (await_join(fd, source, &rtt_s)) {
		doctor_saw(out, DOCTOR_OK,
			   "a subflow by this link joins a connection that began on %s, %.1f ms",
			   by, rtt_s * 1e3);
	} else {
		doctor_saw(out, DOCTOR_FAIL,
			   "no subflow by this link joins a connection that began on %s: something "
			   "drops or refuses MP_JOIN",
			   by);
		doctor_mend(out,
			    "if every link fails: 'ip mptcp limits set subflow 8' on the exit; if "
			    "only this one: ask its provider, or use a tunnel (WireGuard) over it");
	}
	socket_reset(fd);
	return true;
}
