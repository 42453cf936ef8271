/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The limits of the kernel's path manager: raised for links, and as they were afterwards. */
#include "links/link_setup_private.h"

static uint32_t at_least(uint32_t value, uint32_t least)
{
	return value > least ? value : least;
}

static bool are_lower(const struct mptcp_pm_limits *raised, const struct mptcp_pm_limits *now)
{
	return now->subflows < raised->subflows ||
	       now->add_addr_accepted < raised->add_addr_accepted;
}

int link_limits_raise(struct link_setup *setup)
{
	struct link_journal_data *data = &setup->data;
	struct mptcp_pm_limits now;
	int err;

	err = mptcp_pm_get_limits(setup->pm, &now);
	if (err)
		return err;
	if (data->has_limits) {
		if (!are_lower(&data->raised, &now))
			return 0;
		now.subflows = at_least(now.subflows, data->raised.subflows);
		now.add_addr_accepted =
			at_least(now.add_addr_accepted, data->raised.add_addr_accepted);
		err = mptcp_pm_set_limits(setup->pm, &now);
		setup->restored[KIND_LIMIT] += !err;
		return err;
	}
	data->before = now;
	data->raised = (struct mptcp_pm_limits){
		.subflows = at_least(now.subflows, MPTCP_PM_LIMIT_MAX),
		.add_addr_accepted = at_least(now.add_addr_accepted, MPTCP_PM_LIMIT_MAX)};
	data->has_limits = true;
	err = link_journal_write(setup->record, data);
	if (!err)
		err = mptcp_pm_set_limits(setup->pm, &data->raised);
	if (err)
		data->has_limits = false;
	return err;
}

/* Only what is still as we set it. */
void link_limits_restore(struct link_setup *setup)
{
	struct link_journal_data *data = &setup->data;
	struct mptcp_pm_limits now;

	if (!data->has_limits || mptcp_pm_get_limits(setup->pm, &now))
		return;
	if (now.subflows == data->raised.subflows)
		now.subflows = data->before.subflows;
	if (now.add_addr_accepted == data->raised.add_addr_accepted)
		now.add_addr_accepted = data->before.add_addr_accepted;
	if (mptcp_pm_set_limits(setup->pm, &now) == 0)
		data->has_limits = false;
}

bool link_setup_take_limit(struct link_setup *setup, uint32_t subflows)
{
	struct link_journal_data *data = &setup->data;

	if (!data->has_limits)
		return false;
	data->before.subflows = subflows;
	return link_journal_write(setup->record, data) == 0;
}

bool link_limits_are_lowered(const struct link_setup *setup)
{
	struct mptcp_pm_limits now;

	return setup->data.has_limits && mptcp_pm_get_limits(setup->pm, &now) == 0 &&
	       are_lower(&setup->data.raised, &now);
}
