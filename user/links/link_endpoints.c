/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The endpoints that links need: made, kept as they are wanted, offered again, and withdrawn. */
#include <errno.h>
#include <linux/mptcp.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "links/link_setup_private.h"
#include "net/mptcp_diag.h"

/* How soon to see whether an endpoint whose kind is to change is nobody's last one; then twice as
 * late each time. */
#define MESH_LOOK_S	5.
#define MESH_LOOK_MAX_S 320.

/* What there is at this moment. */
struct census {
	struct mptcp_pm_endpoint there[MPTCP_PM_ENDPOINTS_MAX];
	size_t there_count;
	struct mptcp_diag_subflow *subflows;
	size_t subflow_count;
	/* Of ours, those that are not wanted. */
	union address leaving[LINK_JOURNAL_ENDPOINTS_MAX];
	size_t leaving_count;
	bool meshed_otherwise; /* by now: some are not of the kind that is wanted */
};

bool link_endpoints_want(const struct wanted *wanted, const union address *address)
{
	for (size_t i = 0; i < wanted->endpoint_count; i++)
		if (address_same_ip(&wanted->endpoints[i].address, address))
			return true;
	return false;
}

/* Those that are announced are no link's, though they may have its address. */
static const struct mptcp_pm_endpoint *find_endpoint(const struct mptcp_pm_endpoint *endpoints,
						     size_t count, const union address *address)
{
	for (size_t i = 0; i < count; i++)
		if (address_same_ip(&endpoints[i].address, address) &&
		    !(endpoints[i].flags & MPTCP_PM_ADDR_FLAG_SIGNAL))
			return &endpoints[i];
	return NULL;
}

/* Whether an endpoint is the one that is wanted, whatever its flags are. */
static bool is_in_place(const struct mptcp_pm_endpoint *is, const struct mptcp_pm_endpoint *shall)
{
	return is && is->device == shall->device && !(is->flags & MPTCP_PM_FLAG_IMPLICIT);
}

static bool is_recorded(const struct link_setup *setup, const union address *address)
{
	return address_is_among(address, setup->data.endpoints, setup->data.endpoint_count);
}

static bool is_meshed_otherwise(const struct mptcp_pm_endpoint *is, uint32_t flags)
{
	return !(is->flags & (MPTCP_PM_ADDR_FLAG_SIGNAL | MPTCP_PM_FLAG_IMPLICIT)) &&
	       (is->flags ^ flags) & MPTCP_PM_ADDR_FLAG_FULLMESH;
}

static void forget_endpoint(struct link_setup *setup, size_t index)
{
	struct link_journal_data *data = &setup->data;

	link_offers_dropped(&setup->offers, &data->endpoints[index]);
	data->endpoints[index] = data->endpoints[--data->endpoint_count];
	(void)link_journal_write(setup->record, data);
}

/* Those of ours that are gone, or are on another interface now. */
static int drop_moved(struct link_setup *setup, const struct wanted *wanted,
		      const struct mptcp_pm_endpoint *there, size_t there_count)
{
	struct link_journal_data *data = &setup->data;
	int err = 0;

	for (size_t i = data->endpoint_count; i-- > 0;) {
		const union address address = data->endpoints[i];
		const struct mptcp_pm_endpoint *is = find_endpoint(there, there_count, &address);
		const struct mptcp_pm_endpoint *shall =
			find_endpoint(wanted->endpoints, wanted->endpoint_count, &address);
		const bool is_ours = is && !(is->flags & MPTCP_PM_FLAG_IMPLICIT);
		int failed = 0;

		if (is_ours && (!shall || is->device == shall->device))
			continue;
		/* Deleted by others, and perhaps made again by the kernel for a running subflow. */
		if (!is_ours)
			setup->restored[KIND_ENDPOINT] +=
				link_endpoints_want(&setup->last, &address) && shall;
		else
			failed = mptcp_pm_delete(setup->pm, is);
		if (!failed)
			forget_endpoint(setup, i);
		note(&err, failed);
	}
	return err;
}

/* Those of ours that are not wanted. Connections that began on the address of a lost link are told
 * at once, too, where another can take over. Where no link can they had better wait for it: without
 * a subflow a connection would never get one again. Not so where the quota is used up; and what a
 * portal answers is no connection, so that any other link will do. */
static int drop_unwanted(struct link_setup *setup, const struct wanted *wanted,
			 const struct mptcp_pm_endpoint *there, size_t there_count)
{
	struct link_journal_data *data = &setup->data;
	int err = 0;

	for (size_t i = data->endpoint_count; i-- > 0;) {
		const union address address = data->endpoints[i];
		const struct mptcp_pm_endpoint *is = find_endpoint(there, there_count, &address);
		const bool cut =
			wanted->works[address_family(&address)] ||
			address_is_among(&address, wanted->spent, wanted->spent_count) ||
			((wanted->works[IP_V4] || wanted->works[IP_V6]) &&
			 address_is_among(&address, wanted->captive, wanted->captive_count));
		int failed;

		if (!is || link_endpoints_want(wanted, &address) || (!cut && wanted->any_link))
			continue;
		failed = mptcp_pm_delete(setup->pm, is);
		if (cut)
			(void)mptcp_pm_cut(setup->pm, &address);
		if (!failed)
			forget_endpoint(setup, i);
		note(&err, failed);
	}
	return err;
}

static int add_endpoint(struct link_setup *setup, const struct mptcp_pm_endpoint *endpoint)
{
	struct link_journal_data *data = &setup->data;
	int err;

	if (data->endpoint_count == LINK_JOURNAL_ENDPOINTS_MAX)
		return -ENOSPC;
	data->endpoints[data->endpoint_count++] = endpoint->address;
	err = link_journal_write(setup->record, data);
	if (!err)
		err = mptcp_pm_add(setup->pm, endpoint);
	if (err)
		forget_endpoint(setup, data->endpoint_count - 1);
	else
		link_offers_added(&setup->offers, &endpoint->address, clock_monotonic_s());
	return err;
}

/* Whether it goes by our own will, as the link works, and may stay while it is needed. */
static bool may_stay(const struct wanted *wanted, const union address *address)
{
	return wanted->works[address_family(address)] &&
	       (address_is_among(address, wanted->resting, wanted->resting_count) ||
		address_is_among(address, wanted->spent, wanted->spent_count) ||
		address_is_among(address, wanted->gone, wanted->gone_count));
}

/* Whether it goes because its link is lost, while another seems to work. */
static bool is_lost(const struct wanted *wanted, const union address *address)
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

static struct link_standing find_standing(const struct link_setup *setup,
					  const struct census *census, const union address *address)
{
	const struct link_ground ground = {.ours = setup->data.endpoints,
					   .ours_count = setup->data.endpoint_count,
					   .leaving = census->leaving,
					   .leaving_count = census->leaving_count,
					   .exit_ports = setup->exit_ports,
					   .exit_port_count = setup->exit_port_count};

	return link_standing_find(census->subflows, census->subflow_count, &ground, address);
}

/* Adds to wanted what goes by our own will, but not yet; and what is lost, where its end would help
 * nobody: a connection without another subflow would never get one again, and where links come and
 * go in turns, it may yet join or its own link come back. */
static void hold_leaving(struct link_setup *setup, struct wanted *wanted,
			 const struct census *census)
{
	for (size_t i = 0; i < census->leaving_count; i++) {
		const union address *address = &census->leaving[i];
		const struct mptcp_pm_endpoint *is =
			find_endpoint(census->there, census->there_count, address);
		struct link_standing standing;

		if (!is || (!may_stay(wanted, address) && !is_lost(wanted, address)))
			continue;
		standing = find_standing(setup, census, address);
		if (may_stay(wanted, address) || (standing.stranded > 0 && standing.served == 0))
			hold(setup, wanted, is, &standing);
	}
}

/* With what flags it is made: connections that lost the subflow they began with, or do so now, join
 * none that is fullmesh, except where their peer announces addresses. */
static uint32_t flags_for(const struct mptcp_pm_endpoint *endpoint,
			  const struct link_standing *standing)
{
	return standing->bereft + standing->begun > 0
		       ? endpoint->flags & ~(uint32_t)MPTCP_PM_ADDR_FLAG_FULLMESH
		       : endpoint->flags;
}

/* Whether one has to be made, also as others have deleted it or its interface is another. */
static bool is_any_new(const struct link_setup *setup, const struct wanted *wanted,
		       const struct census *census)
{
	for (size_t i = 0; i < wanted->endpoint_count; i++) {
		const struct mptcp_pm_endpoint *shall = &wanted->endpoints[i];

		if (!is_recorded(setup, &shall->address) ||
		    !is_in_place(find_endpoint(census->there, census->there_count, &shall->address),
				 shall))
			return true;
	}
	return false;
}

/* Whether somebody has to know who stands where. */
static bool needs_subflows(const struct link_setup *setup, const struct wanted *wanted,
			   const struct census *census)
{
	if (wanted->any_link && link_offers_due(&setup->offers, clock_monotonic_s()))
		return true;
	if (setup->endpoint_flags && is_any_new(setup, wanted, census))
		return true;
	for (size_t i = 0; i < census->there_count; i++)
		if (is_recorded(setup, &census->there[i].address) &&
		    is_meshed_otherwise(&census->there[i], setup->endpoint_flags))
			return true;
	for (size_t i = 0; i < census->leaving_count; i++)
		if (may_stay(wanted, &census->leaving[i]) || is_lost(wanted, &census->leaving[i]))
			return true;
	return false;
}

static int take_census(struct link_setup *setup, const struct wanted *wanted, struct census *census)
{
	const int err = mptcp_pm_list(setup->pm, census->there, &census->there_count);

	for (size_t i = 0; i < setup->data.endpoint_count; i++)
		if (!link_endpoints_want(wanted, &setup->data.endpoints[i]))
			census->leaving[census->leaving_count++] = setup->data.endpoints[i];
	if (!err && needs_subflows(setup, wanted, census) &&
	    mptcp_diag_list(&census->subflows, &census->subflow_count))
		log_debug("links: cannot see which connections have joined");
	return err;
}

/* Of one that is being made. If it is of the other kind, looks begin anew. */
static void note_flags(struct link_setup *setup, struct census *census, bool meshed_otherwise)
{
	if (!meshed_otherwise)
		return;
	census->meshed_otherwise = true;
	setup->mesh_look_s = 0;
	setup->mesh_wait_s = 0;
}

/* To connections that miss it. */
static int offer_again(struct link_setup *setup, const struct wanted *wanted, struct census *census)
{
	int err = 0;

	for (size_t i = 0; census->subflow_count > 0 && i < wanted->endpoint_count; i++) {
		const struct mptcp_pm_endpoint *shall = &wanted->endpoints[i];
		const struct mptcp_pm_endpoint *is =
			find_endpoint(census->there, census->there_count, &shall->address);
		struct mptcp_pm_endpoint offered = *shall;
		struct link_standing standing;
		enum link_again again;
		char text[ADDRESS_TEXT_MAX];
		int failed;

		if (!is || !is_recorded(setup, &shall->address) ||
		    address_is_among(&shall->address, census->leaving, census->leaving_count))
			continue;
		standing = find_standing(setup, census, &shall->address);
		again = link_offers_again(&setup->offers, &shall->address, &standing,
					  clock_monotonic_s());
		if (again == LINK_AGAIN_NO)
			continue;
		log_info("links: %s is offered again%s: connections that have not joined: %zu",
			 address_format_ip(&shall->address, text),
			 again == LINK_AGAIN_MOVED ? " as its way has moved" : "",
			 standing.missing + (again == LINK_AGAIN_MOVED ? standing.joining : 0));
		offered.flags = flags_for(shall, &standing);
		note_flags(setup, census, offered.flags != shall->flags);
		failed = mptcp_pm_delete(setup->pm, is);
		if (!failed)
			failed = mptcp_pm_add(setup->pm, &offered);
		note(&err, failed);
	}
	return err;
}

/* The kernel ends its subflows and opens them anew, which must be nobody's last one, nor one that
 * could not be opened so. */
static int change(struct link_setup *setup, struct census *census,
		  const struct mptcp_pm_endpoint *is, const struct mptcp_pm_endpoint *shall)
{
	struct mptcp_pm_endpoint changed = *is;

	changed.backup = shall->backup;
	if (is_meshed_otherwise(is, shall->flags)) {
		const struct link_standing standing = find_standing(setup, census, &is->address);

		if (standing.alone == 0 && flags_for(shall, &standing) == shall->flags)
			changed.flags = shall->flags;
		else
			census->meshed_otherwise = true;
	}
	if (changed.backup == is->backup && changed.flags == is->flags)
		return 0;
	return mptcp_pm_set_flags(setup->pm, &changed);
}

static int add_wanted(struct link_setup *setup, const struct wanted *wanted, struct census *census)
{
	int err = 0;

	for (size_t i = 0; i < wanted->endpoint_count; i++) {
		const struct mptcp_pm_endpoint *shall = &wanted->endpoints[i];
		const struct mptcp_pm_endpoint *is =
			find_endpoint(census->there, census->there_count, &shall->address);

		if (is_recorded(setup, &shall->address)) {
			if (is)
				note(&err, change(setup, census, is, shall));
		} else if (!is_in_place(is, shall)) {
			const struct link_standing standing =
				find_standing(setup, census, &shall->address);
			struct mptcp_pm_endpoint added = *shall;
			int failed;

			added.flags = flags_for(shall, &standing);
			note_flags(setup, census, added.flags != shall->flags);
			failed = add_endpoint(setup, &added);
			/* Somebody else's will do. */
			note(&err, failed == -EEXIST ? 0 : failed);
		}
	}
	return err;
}

static void look_at_mesh_later(struct link_setup *setup, bool meshed_otherwise)
{
	const double now_s = clock_monotonic_s();

	if (!meshed_otherwise) {
		setup->mesh_look_s = 0;
		setup->mesh_wait_s = 0;
	} else if (now_s >= setup->mesh_look_s) {
		setup->mesh_wait_s =
			fmin(fmax(2 * setup->mesh_wait_s, MESH_LOOK_S), MESH_LOOK_MAX_S);
		setup->mesh_look_s = now_s + setup->mesh_wait_s;
	}
}

int link_endpoints_apply(struct link_setup *setup, struct wanted *wanted)
{
	struct census *census = calloc(1, sizeof(*census));
	int err = census ? take_census(setup, wanted, census) : -ENOMEM;

	if (err)
		goto out;
	for (size_t i = 0; i < wanted->endpoint_count; i++)
		link_offers_release(&setup->offers, &wanted->endpoints[i].address);
	hold_leaving(setup, wanted, census);
	err = drop_moved(setup, wanted, census->there, census->there_count);
	note(&err, add_wanted(setup, wanted, census));
	note(&err, offer_again(setup, wanted, census));
	/* Last, so that a connection whose only subflow goes has been offered another. */
	note(&err, drop_unwanted(setup, wanted, census->there, census->there_count));
	link_offers_passed(&setup->offers, clock_monotonic_s());
	look_at_mesh_later(setup, census->meshed_otherwise);
	free(census->subflows);
out:
	free(census);
	return err;
}

bool link_endpoints_are_disturbed(const struct link_setup *setup)
{
	struct mptcp_pm_endpoint there[MPTCP_PM_ENDPOINTS_MAX];
	size_t there_count;

	if (mptcp_pm_list(setup->pm, there, &there_count))
		return false;
	for (size_t i = 0; i < setup->last.endpoint_count; i++) {
		const struct mptcp_pm_endpoint *shall = &setup->last.endpoints[i];
		const struct mptcp_pm_endpoint *is =
			find_endpoint(there, there_count, &shall->address);

		if (is_recorded(setup, &shall->address) &&
		    (!is_in_place(is, shall) || is->backup != shall->backup))
			return true;
	}
	return false;
}
