/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The endpoints that links need: made, kept as they are wanted, and offered again. */
#include <errno.h>
#include <linux/mptcp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "links/link_endpoints_private.h"

/* How soon to see whether an endpoint whose kind is to change is nobody's last one; then twice as
 * late each time. */
#define MESH_LOOK_S	5.
#define MESH_LOOK_MAX_S 320.

bool link_endpoints_want(const struct wanted *wanted, const union address *address)
{
	for (size_t i = 0; i < wanted->endpoint_count; i++)
		if (address_same_ip(&wanted->endpoints[i].address, address))
			return true;
	return false;
}

const struct mptcp_pm_endpoint *link_endpoints_find(const struct mptcp_pm_endpoint *endpoints,
						    size_t count, const union address *address)
{
	for (size_t i = 0; i < count; i++)
		if (address_same_ip(&endpoints[i].address, address) &&
		    !(endpoints[i].flags & MPTCP_PM_ADDR_FLAG_SIGNAL))
			return &endpoints[i];
	return NULL;
}

struct link_standing link_endpoints_standing(const struct link_setup *setup,
					     const struct census *census,
					     const union address *address)
{
	const struct link_ground ground = {.ours = setup->data.endpoints,
					   .ours_count = setup->data.endpoint_count,
					   .leaving = census->leaving,
					   .leaving_count = census->leaving_count,
					   .exit_ports = setup->exit_ports,
					   .exit_port_count = setup->exit_port_count};

	return link_standing_find(census->subflows, census->subflow_count, &ground, address);
}

void link_endpoints_forget(struct link_setup *setup, size_t index)
{
	struct link_journal_data *data = &setup->data;

	link_offers_dropped(&setup->offers, &data->endpoints[index]);
	data->endpoints[index] = data->endpoints[--data->endpoint_count];
	(void)link_journal_write(setup->record, data);
}

/* Whether an endpoint is the one that is wanted, whatever its flags are. */
static bool is_in_place(const struct mptcp_pm_endpoint *is, const struct mptcp_pm_endpoint *shall)
{
	return is && is->device == shall->device && !(is->flags & MPTCP_PM_FLAG_IMPLICIT);
}

static bool is_meshed_otherwise(const struct mptcp_pm_endpoint *is, uint32_t flags)
{
	return !(is->flags & (MPTCP_PM_ADDR_FLAG_SIGNAL | MPTCP_PM_FLAG_IMPLICIT)) &&
	       (is->flags ^ flags) & MPTCP_PM_ADDR_FLAG_FULLMESH;
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
		link_endpoints_forget(setup, data->endpoint_count - 1);
	else
		link_offers_added(&setup->offers, &endpoint->address, clock_monotonic_s());
	return err;
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

/* Whether an endpoint that is not ours has the address. It will do, whatever it is for: the kernel
 * takes no second one, unless one has a port of its own. */
static bool is_taken(const struct census *census, const union address *address)
{
	for (size_t i = 0; i < census->there_count; i++)
		if (address_same_ip(&census->there[i].address, address) &&
		    address_port(&census->there[i].address) == 0 &&
		    !(census->there[i].flags & MPTCP_PM_FLAG_IMPLICIT))
			return true;
	return false;
}

/* Whether one has to be made, also as others have deleted it or its interface is another. */
static bool is_any_new(const struct link_setup *setup, const struct wanted *wanted,
		       const struct census *census)
{
	for (size_t i = 0; i < wanted->endpoint_count; i++) {
		const struct mptcp_pm_endpoint *shall = &wanted->endpoints[i];
		const struct mptcp_pm_endpoint *is =
			link_endpoints_find(census->there, census->there_count, &shall->address);

		if (is_recorded(setup, &shall->address) ? !is_in_place(is, shall)
							: !is_taken(census, &shall->address))
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
		if (link_departures_may_stay(wanted, &census->leaving[i]) ||
		    link_departures_is_lost(wanted, &census->leaving[i]))
			return true;
	return false;
}

static void tell_crowded(struct link_setup *setup, const union address *address)
{
	const size_t len = strlen(setup->crowded);
	const size_t room = sizeof(setup->crowded) - len;
	char ip[ADDRESS_TEXT_MAX];

	/* What is cut would be another address. */
	if ((size_t)snprintf(setup->crowded + len, room, "%s%s", len ? ", " : "",
			     address_format_ip(address, ip)) >= room)
		setup->crowded[len] = '\0';
}

/* Takes out of wanted what the kernel has no room for, beside those of others. What has to make
 * room rests, as its link works: for as long as connections have nothing else. */
static void fit(struct link_setup *setup, struct wanted *wanted, struct census *census)
{
	size_t room = setup->capacity;
	size_t kept = 0;

	/* It was refused for another reason. */
	if (census->there_count > setup->capacity)
		setup->capacity = 0;
	census->room = setup->capacity ? 0 : SIZE_MAX;
	if (!setup->capacity)
		return;
	if (census->there_count < setup->capacity)
		census->room = setup->capacity - census->there_count;
	for (size_t i = 0; i < census->there_count && room > 0; i++)
		room -= !is_recorded(setup, &census->there[i].address) ||
			census->there[i].flags &
				(MPTCP_PM_ADDR_FLAG_SIGNAL | MPTCP_PM_FLAG_IMPLICIT);
	for (size_t i = 0; i < wanted->endpoint_count; i++) {
		const struct mptcp_pm_endpoint shall = wanted->endpoints[i];
		const bool is_ours = is_recorded(setup, &shall.address);

		if (room > 0 || (!is_ours && is_taken(census, &shall.address))) {
			room -= is_ours || !is_taken(census, &shall.address);
			wanted->endpoints[kept++] = shall;
			continue;
		}
		tell_crowded(setup, &shall.address);
		if (is_ours)
			wanted->resting[wanted->resting_count++] = shall.address;
	}
	wanted->endpoint_count = kept;
}

static int take_census(struct link_setup *setup, struct wanted *wanted, struct census *census)
{
	const int err = mptcp_pm_list(setup->pm, census->there, &census->there_count);

	if (err)
		return err;
	fit(setup, wanted, census);
	for (size_t i = 0; i < setup->data.endpoint_count; i++)
		if (!link_endpoints_want(wanted, &setup->data.endpoints[i]))
			census->leaving[census->leaving_count++] = setup->data.endpoints[i];
	if (needs_subflows(setup, wanted, census) &&
	    mptcp_diag_list(&census->subflows, &census->subflow_count))
		log_debug("links: cannot see which connections have joined");
	return 0;
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

/* What its subflows wait for may come sooner by new ones. */
static int make_again(struct link_setup *setup, const struct mptcp_pm_endpoint *is,
		      const struct mptcp_pm_endpoint *offered, enum link_again again)
{
	int failed = mptcp_pm_delete(setup->pm, is);

	/* On some kernels that spares those that connections began with. */
	if (!failed && again == LINK_AGAIN_UNHEARD)
		(void)mptcp_pm_cut(setup->pm, &is->address);
	return failed ? failed : mptcp_pm_add(setup->pm, offered);
}

static void tell_again(const union address *address, enum link_again again,
		       const struct link_standing *standing)
{
	char text[ADDRESS_TEXT_MAX];

	log_info("links: %s is offered again%s: connections that have not joined: %zu",
		 address_format_ip(address, text),
		 again == LINK_AGAIN_MISSED    ? ""
		 : again == LINK_AGAIN_UNHEARD ? " as nothing came by its way for a while"
					       : " as its way has moved",
		 standing->missing + (again == LINK_AGAIN_MISSED ? 0 : standing->joining));
}

/* To connections that miss it. */
static void offer_again(struct link_setup *setup, const struct wanted *wanted,
			struct census *census)
{
	for (size_t i = 0; census->subflow_count > 0 && i < wanted->endpoint_count; i++) {
		const struct mptcp_pm_endpoint *shall = &wanted->endpoints[i];
		const struct mptcp_pm_endpoint *is =
			link_endpoints_find(census->there, census->there_count, &shall->address);
		struct mptcp_pm_endpoint offered = *shall;
		struct link_standing standing;
		enum link_again again;

		if (!is || !is_recorded(setup, &shall->address) ||
		    address_is_among(&shall->address, census->leaving, census->leaving_count))
			continue;
		standing = link_endpoints_standing(setup, census, &shall->address);
		again = link_offers_again(&setup->offers, &shall->address, &standing,
					  clock_monotonic_s());
		if (again == LINK_AGAIN_NO)
			continue;
		tell_again(&shall->address, again, &standing);
		census->sheltered = census->sheltered || again == LINK_AGAIN_UNHEARD;
		offered.flags = flags_for(shall, &standing);
		note_flags(setup, census, offered.flags != shall->flags);
		link_setup_note(setup, make_again(setup, is, &offered, again), "endpoint",
				&shall->address);
	}
}

/* The kernel ends its subflows and opens them anew, which must be nobody's last one, nor one that
 * could not be opened so. */
static int change(struct link_setup *setup, struct census *census,
		  const struct mptcp_pm_endpoint *is, const struct mptcp_pm_endpoint *shall)
{
	struct mptcp_pm_endpoint changed = *is;

	changed.backup = shall->backup;
	if (is_meshed_otherwise(is, shall->flags)) {
		const struct link_standing standing =
			link_endpoints_standing(setup, census, &is->address);

		if (standing.alone == 0 && flags_for(shall, &standing) == shall->flags)
			changed.flags = shall->flags;
		else
			census->meshed_otherwise = true;
	}
	if (changed.backup == is->backup && changed.flags == is->flags)
		return 0;
	return mptcp_pm_set_flags(setup->pm, &changed);
}

static void change_ours(struct link_setup *setup, const struct wanted *wanted,
			struct census *census)
{
	for (size_t i = 0; i < wanted->endpoint_count; i++) {
		const struct mptcp_pm_endpoint *shall = &wanted->endpoints[i];
		const struct mptcp_pm_endpoint *is =
			link_endpoints_find(census->there, census->there_count, &shall->address);

		if (is && is_recorded(setup, &shall->address))
			link_setup_note(setup, change(setup, census, is, shall), "endpoint",
					&shall->address);
	}
}

/* Learns how many endpoints the kernel keeps. Some kernels (6.1) say of too many what they say of
 * any fault. */
static bool is_full(struct link_setup *setup, int refused)
{
	struct mptcp_pm_endpoint there[MPTCP_PM_ENDPOINTS_MAX];
	size_t count;

	if ((refused != -ERANGE && refused != -EINVAL) || mptcp_pm_list(setup->pm, there, &count) ||
	    count < MPTCP_PM_LIMIT_MAX)
		return false;
	setup->capacity = count;
	return true;
}

static int add_one(struct link_setup *setup, struct census *census,
		   const struct mptcp_pm_endpoint *shall)
{
	const struct link_standing standing =
		link_endpoints_standing(setup, census, &shall->address);
	struct mptcp_pm_endpoint added = *shall;
	int err;

	added.flags = flags_for(shall, &standing);
	note_flags(setup, census, added.flags != shall->flags);
	err = add_endpoint(setup, &added);
	if (!err && address_is_among(&shall->address, census->deleted, census->deleted_count))
		setup->restored[KIND_ENDPOINT]++;
	return err;
}

/* In their order. What does not fit yet waits for what stays for a while. */
static void add_missing(struct link_setup *setup, const struct wanted *wanted,
			struct census *census)
{
	for (size_t i = 0; i < wanted->endpoint_count && census->room > 0; i++) {
		const struct mptcp_pm_endpoint *shall = &wanted->endpoints[i];
		int err;

		if (is_recorded(setup, &shall->address) || is_taken(census, &shall->address))
			continue;
		err = add_one(setup, census, shall);
		if (err && is_full(setup, err)) {
			census->room = 0;
			err = -EAGAIN;
		}
		census->room -= !err;
		link_setup_note(setup, err, "endpoint", &shall->address);
	}
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

/* Those that have to wait, too. */
static void tell_waiting(struct link_setup *setup, const struct wanted *wanted,
			 const struct census *census)
{
	for (size_t i = 0; census->room == 0 && i < wanted->endpoint_count; i++) {
		const union address *address = &wanted->endpoints[i].address;

		if (!is_recorded(setup, address) && !is_taken(census, address))
			tell_crowded(setup, address);
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
	link_departures_hold(setup, wanted, census);
	link_departures_drop_moved(setup, wanted, census);
	change_ours(setup, wanted, census);
	add_missing(setup, wanted, census);
	offer_again(setup, wanted, census);
	/* Last, so that a connection whose only subflow goes has been offered another. */
	if (link_departures_drop(setup, wanted, census))
		add_missing(setup, wanted, census);
	tell_waiting(setup, wanted, census);
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
	if (*setup->crowded && there_count < setup->capacity)
		return true;
	for (size_t i = 0; i < setup->last.endpoint_count; i++) {
		const struct mptcp_pm_endpoint *shall = &setup->last.endpoints[i];
		const struct mptcp_pm_endpoint *is =
			link_endpoints_find(there, there_count, &shall->address);

		if (is_recorded(setup, &shall->address) &&
		    (!is_in_place(is, shall) || is->backup != shall->backup))
			return true;
	}
	return false;
}
