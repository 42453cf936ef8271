/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's checks by echo requests: how large packets may be on the way from a link to a
 * target. */
#include "doctor/check_mtu.h"

#include <string.h>
#include <sys/socket.h>

#include "doctor/doctor_private.h"
#include "doctor/mtu_search.h"
#include "doctor/ping.h"

/* For small packets; the round-trip time bounds the wait for others. */
#define ECHO_S	   1.
#define ECHO_BYTES 64U

static int open_echo(struct ping *echo, const struct doctor_subject *subject)
{
	const struct doctor_link *link = subject->link;

	return ping_open(echo, link->device, &link->paths[subject->family].address,
			 &subject->target->addresses[subject->family]);
}

bool doctor_answers_echo(const struct doctor_subject *subject)
{
	struct ping_round round = {.sizes = {ECHO_BYTES}, .count = 1};
	struct ping echo;

	if (open_echo(&echo, subject))
		return false;
	ping_send_round(&echo, &round, ECHO_S);
	ping_close(&echo);
	return round.answered[0];
}

/* Of the interface, as far as a packet can be as large; 0 if unknown. */
static unsigned int device_mtu(const struct ping *echo)
{
	const bool v6 = echo->family == AF_INET6;
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	/* That of the route, which PROBE keeps at the interface's unless somebody set it. */
	if (getsockopt(echo->fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu,
		       &len))
		return 0;
	if (mtu <= 0)
		return 0;
	return (unsigned int)mtu < PING_BYTES_MAX ? (unsigned int)mtu : PING_BYTES_MAX;
}

static bool passes(struct ping *echo, unsigned int size, double wait_s, unsigned int *told)
{
	struct ping_round round = {.sizes = {size}, .count = 1};

	ping_send_round(echo, &round, wait_s);
	if (round.mtu)
		*told = round.mtu;
	return round.answered[0];
}

/* What passes, between a size that does and one that does not. */
static unsigned int search_mtu(struct ping *echo, struct mtu_search search, double wait_s)
{
	unsigned int sizes[MTU_SEARCH_SIZES];
	size_t count;

	while ((count = mtu_search_next(&search, sizes)) > 0) {
		struct ping_round round = {.count = count};

		memcpy(round.sizes, sizes, count * sizeof(*sizes));
		ping_send_round(echo, &round, wait_s);
		mtu_search_take(&search, sizes, round.answered, count);
	}
	return search.passes;
}

static void tell_mtu(const struct doctor_subject *subject, unsigned int own, unsigned int told,
		     unsigned int found, struct doctor_finding *out)
{
	const char *device = *subject->link->device ? subject->link->device : "INTERFACE";

	if (found == own) {
		doctor_saw(out, DOCTOR_OK, "packets of %u bytes pass", own);
	} else if (told && found >= told) {
		doctor_saw(
			out, DOCTOR_OK,
			"packets of up to %u bytes pass, of the interface's %u, and routers say so",
			found, own);
	} else {
		doctor_saw(out, DOCTOR_FAIL,
			   "black hole: packets of more than %u bytes vanish; the interface sends "
			   "up to %u",
			   found, own);
		doctor_mend(out,
			    "ip link set dev %s mtu %u (and where the interface is configured; or "
			    "sysctl -w net.ipv4.tcp_mtu_probing=1)",
			    device, found);
	}
}

bool doctor_look_mtu(struct doctor *doctor, const struct doctor_subject *subject,
		     struct doctor_finding *out)
{
	struct ping_round first = {.sizes = {ECHO_BYTES}, .count = 1};
	unsigned int found = ECHO_BYTES;
	unsigned int told = 0;
	struct ping echo;
	unsigned int own;
	double wait_s;

	(void)doctor;
	if (open_echo(&echo, subject))
		return false; /* "rights" has said it */
	own = device_mtu(&echo);
	ping_send_round(&echo, &first, ECHO_S);
	if (!first.answered[0] || own <= ECHO_BYTES) {
		doctor_saw(out, DOCTOR_WARN,
			   "doctor cannot measure it: the target does not answer echo requests");
		doctor_mend(out, "let %s accept echo requests (icmp, and icmpv6 for IPv6)",
			    subject->target->name);
		goto out;
	}
	/* Before a size is given up it is sent twice, and the interface's four times. */
	wait_s = 0.3 + 4 * first.rtt_s;
	if (passes(&echo, own, wait_s, &told) || (!told && passes(&echo, own, wait_s, &told)))
		found = own;
	else if (told > ECHO_BYTES && told < own && passes(&echo, told, wait_s, &told))
		found = told;
	else
		found = search_mtu(
			&echo,
			(struct mtu_search){.passes = ECHO_BYTES,
					    .fails = told > ECHO_BYTES && told < own ? told : own},
			wait_s);
	tell_mtu(subject, own, told, found, out);
out:
	ping_close(&echo);
	return true;
}
