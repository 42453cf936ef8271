/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the doctor says of this host's firewall. */
#include "doctor/check_firewall.h"

#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "intercept/obstacle.h"

/* What is caught on its way comes by many ports, and has the rules of `hawser intercept`. */
static bool is_for_others(struct json_object *listener, union address *address)
{
	return strcmp(json_text(listener, "kind"), "transparent") != 0 &&
	       address_parse(json_text(listener, "address"), address) == 0 &&
	       !address_is_loopback(address);
}

static bool tell_closed(struct doctor *doctor, struct json_object *listener,
			struct doctor_finding *out)
{
	struct nft_packet packet = {.in = true, .device = ""};
	char place[NFT_WALK_PLACE_MAX];

	if (!is_for_others(listener, &packet.to) ||
	    !intercept_drops_strangers(doctor->rules, packet, false, place))
		return false;
	doctor_saw(out, DOCTOR_FAIL,
		   "no client reaches the listener %s %s: chain %s of nftables drops its packets",
		   json_text(listener, "kind"), json_text(listener, "address"), place);
	doctor_mend(out,
		    "nft insert rule %s tcp dport %u accept (to narrow it, put iifname INTERFACE "
		    "before tcp)",
		    place, address_port(&packet.to));
	return true;
}

bool doctor_look_firewall(struct doctor *doctor, const struct doctor_subject *subject,
			  struct doctor_finding *out)
{
	struct json_object *listeners = json_member(doctor->status, "listeners");
	char place[NFT_WALK_PLACE_MAX];

	(void)subject;
	if (!doctor->rules)
		return false;
	for (size_t i = 0; i < json_length(listeners); i++)
		if (tell_closed(doctor, json_object_array_get_idx(listeners, i), out))
			return true;
	if (nft_walk_spoils_mptcp(doctor->rules, place)) {
		doctor_saw(out, DOCTOR_WARN, "rule %s of nftables drops MPTCP or strips its option",
			   place);
		doctor_mend(out, "nft delete rule %s", place);
		return true;
	}
	doctor_saw(out, DOCTOR_OK, "nftables lets clients and MPTCP in");
	return true;
}

bool doctor_tell_dropped(struct doctor *doctor, const struct doctor_subject *subject,
			 struct doctor_finding *out)
{
	const struct nft_packet packet = {
		.to = subject->target->addresses[subject->family],
		.device = subject->link->device,
	};
	char place[NFT_WALK_PLACE_MAX];
	char text[ADDRESS_TEXT_MAX];

	if (!nft_walk_drops(doctor->rules, &packet, place))
		return false;
	doctor_saw(out, DOCTOR_FAIL, "%s: chain %s of nftables on this host drops the packets",
		   address_format(&packet.to, text), place);
	doctor_mend(out, "nft insert rule %s tcp dport %u accept", place, address_port(&packet.to));
	return true;
}
