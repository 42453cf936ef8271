/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's MPTCP path manager: endpoints and limits. */
#include "net/mptcp_pm.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "net/netlink.h"

struct mptcp_pm {
	struct netlink *netlink;
	uint16_t family;
};

static struct nlmsghdr *begin(struct mptcp_pm *pm, uint16_t type, uint8_t command, uint8_t version,
			      uint16_t flags)
{
	struct nlmsghdr *header = netlink_begin(pm->netlink, type, flags);
	struct genlmsghdr *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	message->cmd = command;
	message->version = version;
	return header;
}

static struct nlmsghdr *begin_command(struct mptcp_pm *pm, uint8_t command, uint16_t flags)
{
	return begin(pm, pm->family, command, MPTCP_PM_VER, flags);
}

static int on_family(const struct nlmsghdr *header, void *context)
{
	struct mptcp_pm *pm = context;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID &&
		    mnl_attr_validate(attribute, MNL_TYPE_U16) >= 0)
			pm->family = mnl_attr_get_u16(attribute);
	}
	return MNL_CB_OK;
}

struct mptcp_pm *mptcp_pm_open(void)
{
	struct mptcp_pm *pm = calloc(1, sizeof(*pm));
	struct nlmsghdr *header;
	int err;

	if (!pm)
		return NULL;
	pm->netlink = netlink_open(NETLINK_GENERIC);
	if (!pm->netlink) {
		err = -errno;
		goto out;
	}
	header = begin(pm, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	mnl_attr_put_strz(header, CTRL_ATTR_FAMILY_NAME, MPTCP_PM_NAME);
	err = netlink_send(pm->netlink, on_family, pm);
	if (!err)
		return pm;
out:
	mptcp_pm_close(pm);
	errno = -err;
	return NULL;
}

void mptcp_pm_close(struct mptcp_pm *pm)
{
	if (!pm)
		return;
	netlink_close(pm->netlink);
	free(pm);
}

static int on_limits(const struct nlmsghdr *header, void *context)
{
	struct mptcp_pm_limits *limits = context;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
			continue;
		if (mnl_attr_get_type(attribute) == MPTCP_PM_ATTR_SUBFLOWS)
			limits->subflows = mnl_attr_get_u32(attribute);
		if (mnl_attr_get_type(attribute) == MPTCP_PM_ATTR_RCV_ADD_ADDRS)
			limits->add_addr_accepted = mnl_attr_get_u32(attribute);
	}
	return MNL_CB_OK;
}

int mptcp_pm_get_limits(struct mptcp_pm *pm, struct mptcp_pm_limits *out)
{
	*out = (struct mptcp_pm_limits){0};
	begin_command(pm, MPTCP_PM_CMD_GET_LIMITS, 0);
	return netlink_send(pm->netlink, on_limits, out);
}

int mptcp_pm_set_limits(struct mptcp_pm *pm, const struct mptcp_pm_limits *limits)
{
	struct nlmsghdr *header = begin_command(pm, MPTCP_PM_CMD_SET_LIMITS, 0);

	mnl_attr_put_u32(header, MPTCP_PM_ATTR_RCV_ADD_ADDRS, limits->add_addr_accepted);
	mnl_attr_put_u32(header, MPTCP_PM_ATTR_SUBFLOWS, limits->subflows);
	return netlink_send(pm->netlink, NULL, NULL);
}

static void read_endpoint(const struct nlattr *nest, struct mptcp_pm_endpoint *out)
{
	const struct nlattr *attribute;
	uint16_t port = 0;

	*out = (struct mptcp_pm_endpoint){0};
	mnl_attr_for_each_nested(attribute, nest)
	{
		const void *bytes = mnl_attr_get_payload(attribute);
		const size_t len = mnl_attr_get_payload_len(attribute);

		switch (mnl_attr_get_type(attribute)) {
		case MPTCP_PM_ADDR_ATTR_ID:
			out->id = mnl_attr_get_u8(attribute);
			break;
		case MPTCP_PM_ADDR_ATTR_ADDR4:
			if (len == sizeof(struct in_addr))
				address_from_bytes(&out->address, AF_INET, bytes, 0);
			break;
		case MPTCP_PM_ADDR_ATTR_ADDR6:
			if (len == sizeof(struct in6_addr))
				address_from_bytes(&out->address, AF_INET6, bytes, 0);
			break;
		case MPTCP_PM_ADDR_ATTR_PORT:
			if (len == sizeof(port))
				port = mnl_attr_get_u16(attribute);
			break;
		case MPTCP_PM_ADDR_ATTR_FLAGS:
			if (len == sizeof(uint32_t))
				out->flags = mnl_attr_get_u32(attribute);
			break;
		case MPTCP_PM_ADDR_ATTR_IF_IDX:
			if (len == sizeof(uint32_t))
				out->device = (int)mnl_attr_get_u32(attribute);
			break;
		default:
			break;
		}
	}
	if (port > 0)
		address_set_port(&out->address, port);
	out->backup = out->flags & MPTCP_PM_ADDR_FLAG_BACKUP;
}

struct list {
	struct mptcp_pm_endpoint *out;
	size_t *count;
};

static int on_endpoint(const struct nlmsghdr *header, void *context)
{
	const struct list *list = context;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attribute) == MPTCP_PM_ATTR_ADDR &&
		    *list->count < MPTCP_PM_ENDPOINTS_MAX)
			read_endpoint(attribute, &list->out[(*list->count)++]);
	}
	return MNL_CB_OK;
}

int mptcp_pm_list(struct mptcp_pm *pm, struct mptcp_pm_endpoint out[MPTCP_PM_ENDPOINTS_MAX],
		  size_t *count)
{
	struct list list = {.out = out, .count = count};

	*count = 0;
	begin_command(pm, MPTCP_PM_CMD_GET_ADDR, NLM_F_DUMP);
	return netlink_send(pm->netlink, on_endpoint, &list);
}

/* A command about one endpoint. */
static int command(struct mptcp_pm *pm, uint8_t number, const struct mptcp_pm_endpoint *endpoint,
		   bool with_id, uint32_t flags)
{
	struct nlmsghdr *header = begin_command(pm, number, 0);
	struct nlattr *nest = mnl_attr_nest_start(header, MPTCP_PM_ATTR_ADDR);
	const union address *address = &endpoint->address;

	mnl_attr_put_u16(header, MPTCP_PM_ADDR_ATTR_FAMILY, (uint16_t)address->sa.sa_family);
	if (with_id)
		mnl_attr_put_u8(header, MPTCP_PM_ADDR_ATTR_ID, endpoint->id);
	if (address->sa.sa_family == AF_INET6)
		mnl_attr_put(header, MPTCP_PM_ADDR_ATTR_ADDR6, sizeof(struct in6_addr),
			     &address->in6.sin6_addr);
	else
		mnl_attr_put_u32(header, MPTCP_PM_ADDR_ATTR_ADDR4, address->in4.sin_addr.s_addr);
	/* Of one that opens subflows the kernel takes no port. */
	if (flags & MPTCP_PM_ADDR_FLAG_SIGNAL && address_port(address) > 0)
		mnl_attr_put_u16(header, MPTCP_PM_ADDR_ATTR_PORT, address_port(address));
	if (flags)
		mnl_attr_put_u32(header, MPTCP_PM_ADDR_ATTR_FLAGS, flags);
	if (flags && endpoint->device)
		mnl_attr_put_u32(header, MPTCP_PM_ADDR_ATTR_IF_IDX, (uint32_t)endpoint->device);
	mnl_attr_nest_end(header, nest);
	return netlink_send(pm->netlink, NULL, NULL);
}

static uint32_t flags_of(const struct mptcp_pm_endpoint *endpoint)
{
	if (endpoint->flags & MPTCP_PM_ADDR_FLAG_SIGNAL)
		return MPTCP_PM_ADDR_FLAG_SIGNAL;
	return MPTCP_PM_ADDR_FLAG_SUBFLOW | (endpoint->flags & MPTCP_PM_ADDR_FLAG_FULLMESH) |
	       (endpoint->backup ? MPTCP_PM_ADDR_FLAG_BACKUP : 0);
}

int mptcp_pm_add(struct mptcp_pm *pm, const struct mptcp_pm_endpoint *endpoint)
{
	return command(pm, MPTCP_PM_CMD_ADD_ADDR, endpoint, false, flags_of(endpoint));
}

int mptcp_pm_set_flags(struct mptcp_pm *pm, const struct mptcp_pm_endpoint *endpoint)
{
	return command(pm, MPTCP_PM_CMD_SET_FLAGS, endpoint, true, flags_of(endpoint));
}

int mptcp_pm_delete(struct mptcp_pm *pm, const struct mptcp_pm_endpoint *endpoint)
{
	int err = command(pm, MPTCP_PM_CMD_DEL_ADDR, endpoint, true, 0);

	return err == -EINVAL || err == -ENOENT ? 0 : err;
}

int mptcp_pm_cut(struct mptcp_pm *pm, const union address *address)
{
	/* A connection's first subflow has the id 0, whatever endpoint has its address. */
	const struct mptcp_pm_endpoint first = {.address = *address};

	return command(pm, MPTCP_PM_CMD_DEL_ADDR, &first, true, 0);
}
