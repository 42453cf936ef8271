/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The endpoints of links that go: when they do, and which stay for a while. */
#include "base/clock.h"
#include "base/log.h"
#include "links/link_endpoints_private.h"

bool link_departures_may_stay(const struct wanted *wanted, const union address *address)
{
	return wanted->works[address_family(address)] &&
	       (address_is_among(address, wanted->resting, wanted->resting_count) ||
		address_is_among(address, wanted->spent, wanted->spent_count) ||
		address_is_among(address, wanted->gone, wanted->gone_count));
}

bool link_departures_is_lost(const struct wanted *wanted, const union address *address)
{
	return wanted->works[address_family(address)] &&
	       address_is_among(address, wanted->known, wanted->known_count) &&
	       !address_is_among(address, wanted->captive, wanted->captive_count);
}

static void hold(struct link_setup *setup, struct wanted *wanted,
		 const struct mptcp_pm_endpoint *is, const struct link_standing *standing)
{
	const bool for_good =
		!address_is_among(&is->address, wanted->resting, wanted->resting_count);
	char text[ADDRESS_TEXT_MAX];

	switch (link_offers_hold(&setup->offers, &is->address, for_good, standing,
				 clock_monotonic_s())) {
	case LINK_HOLD_NONE:
		return;
	case LINK_HOLD_ENDS:
		log_warning("links: %s goes after %g s: connections without another subflow: %zu",
			    address_format_ip(&is->address, text), LINK_OFFERS_GRACE_S,
			    standing->alone);
		return;
	case LINK_HOLD_BEGINS:
		log_info("links: %s stays: connections without another subflow: %zu",
			 address_format_ip(&is->address, text), standing->alone);
		break;
	case LINK_HOLD_ON:
		break;
	}
	if (wanted->endpoint_count == WANTED_ENDPOINTS_MAX)
		return;
	wanted->endpoints[wanted->endpoint_count++] = (struct mptcp_pm_endpoint){
		.address = is->address, .device = is->device, .flags = is->flags, .backup = true};
}

void link_departures_hold(struct link_setup *setup, struct wanted *wanted,
			  const struct census *census)
{
	for (size_t i = 0; i < census->leaving_count; i++) {
		const union address *address = &census->leaving[i];
		const struct mptcp_pm_endpoint *is =
			link_endpoints_find(census->there, census->there_count, address);
		struct link_standing standing;

		if (!is || (!link_departures_may_stay(wanted, address) &&
			    !link_departures_is_lost(wanted, address)))
			continue;
		standing = link_endpoints_standing(setup, census, address);
		if (link_departures_may_stay(wanted, address) ||
		    (standing.stranded > 0 && standing.served == 0))
			hold(setup, wanted, is, &standing);
	}
}

void link_departures_drop_moved(struct link_setup *setup, const struct wanted *wanted,
				struct census *census)
{
	struct link_journal_data *data = &setup->data;

	for (size_t i = data->endpoint_count; i-- > 0;) {
		const union address address = data->endpoints[i];
		const struct mptcp_pm_endpoint *is =
			link_endpoints_find(census->there, census->there_count, &address);
		const struct mptcp_pm_endpoint *shall =
			link_endpoints_find(wanted->endpoints, wanted->endpoint_count, &address);
		const bool is_ours = is && !(is->flags & MPTCP_PM_FLAG_IMPLICIT);
		int failed = 0;

		if (is_ours && (!shall || is->device == shall->device))
			continue;
		/* Deleted by others, and perhaps made again by the kernel for a running subflow. */
		if (!is_ours && shall && link_endpoints_want(&setup->last, &address))
			census->deleted[census->deleted_count++] = address;
		if (is_ours)
			failed = mptcp_pm_delete(setup->pm, is);
		if (is_ours && !failed) {
			census->there[is - census->there] = census->there[--census->there_count];
			census->room += census->room < SIZE_MAX;
		}
		if (!failed)
			link_endpoints_forget(setup, i);
		link_setup_note(setup, failed, "endpoint", &address);
	}
}

/* Those of ours that are not wanted. Connections that began on the address of a lost link are told
 * at once, too, where another can take over. Where no link can they had better wait for it: without
 * a subflow a connection would never get one again. Not so where the quota is used up; and what a
 * portal answers is no connection, so that any other link will do. */
bool link_departures_drop(struct link_setup *setup, const struct wanted *wanted,
			  struct census *census)
{
	struct link_journal_data *data = &setup->data;
	bool any = false;

	for (size_t i = data->endpoint_count; i-- > 0;) {
		const union address address = data->endpoints[i];
		const struct mptcp_pm_endpoint *is =
			link_endpoints_find(census->there, census->there_count, &address);
		const bool cut =
			wanted->works[address_family(&address)] ||
			address_is_among(&address, wanted->spent, wanted->spent_count) ||
			((wanted->works[IP_V4] || wanted->works[IP_V6]) &&
			 address_is_among(&address, wanted->captive, wanted->captive_count));
		int failed;

		if (!is || link_endpoints_want(wanted, &address) || (!cut && wanted->any_link) ||
		    (census->sheltered && link_departures_is_lost(wanted, &address)))
			continue;
		failed = mptcp_pm_delete(setup->pm, is);
		if (cut)
			(void)mptcp_pm_cut(setup->pm, &address);
		if (!failed)
			link_endpoints_forget(setup, i);
		census->room += !failed && census->room < SIZE_MAX;
		any = any || !failed;
		link_setup_note(setup, failed, "endpoint", &address);
	}
	return any;
}
