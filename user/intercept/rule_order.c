/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the routing rules up to our highest place, in the order in which the kernel asks them. */
#include "intercept/rule_order.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include <json-c/json.h>

#include "base/json.h"
#include "intercept/steer_mark.h"
#include "net/netlink.h"

#define TRIES 3 /* when rules change meanwhile */

struct rule {
	uint8_t action;
	uint32_t flags;
	uint32_t priority;
	uint32_t table;
	uint32_t mark;
	uint32_t mask;
	uint8_t protocol;
	const char *from; /* interfaces; NULL: any */
	const char *to;
};

struct reading {
	const struct intercept_plan *plan;
	struct rule_order *order;
};

static const char *name_of(const struct nlattr *attribute)
{
	return mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0 ? NULL
								     : mnl_attr_get_str(attribute);
}

static struct rule parse(const struct nlmsghdr *header)
{
	const struct fib_rule_hdr *message = mnl_nlmsg_get_payload(header);
	struct rule rule = {
		.action = message->action, .flags = message->flags, .table = message->table};
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		switch (mnl_attr_get_type(attribute)) {
		case FRA_PRIORITY:
			rule.priority = netlink_number(attribute);
			break;
		case FRA_TABLE:
			rule.table = netlink_number(attribute);
			break;
		case FRA_FWMARK:
			rule.mark = netlink_number(attribute);
			break;
		case FRA_FWMASK:
			rule.mask = netlink_number(attribute);
			break;
		case FRA_IP_PROTO:
			rule.protocol = mnl_attr_get_u8(attribute);
			break;
		case FRA_IIFNAME:
			rule.from = name_of(attribute);
			break;
		case FRA_OIFNAME:
			rule.to = name_of(attribute);
			break;
		default:
			break;
		}
	}
	return rule;
}

static bool is_ours(const struct rule *rule)
{
	return rule->action == FR_ACT_TO_TBL && rule->table == STEER_TABLE &&
	       rule->mark == STEER_MARK && rule->mask == STEER_MARK;
}

/* Whether what is marked may come in by this interface. */
static bool is_from(const struct intercept_plan *plan, const char *name)
{
	/* The answers to connections from clients' addresses come by any. */
	if (plan->transparent_source || (plan->hold && strcmp(name, "lo") == 0))
		return true;
	for (size_t i = 0; i < json_length(plan->lan); i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(plan->lan, i)), name) ==
		    0)
			return true;
	return false;
}

static bool may_take(const struct intercept_plan *plan, const struct rule *rule)
{
	/* The table of local addresses has none of those that are taken. */
	if (rule->action == FR_ACT_NOP ||
	    (rule->action == FR_ACT_TO_TBL && rule->table == RT_TABLE_LOCAL))
		return false;
	if (rule->flags & FIB_RULE_INVERT)
		return true;
	return !((rule->mark ^ STEER_MARK) & rule->mask & STEER_MARK) &&
	       (!rule->protocol || rule->protocol == IPPROTO_TCP) && !rule->to &&
	       (!rule->from || is_from(plan, rule->from));
}

static int on_rule(const struct nlmsghdr *header, void *context)
{
	const struct reading *reading = context;
	struct rule_order *order = reading->order;
	const struct rule rule = parse(header);

	if (rule.priority > STEER_PRIORITY)
		return MNL_CB_STOP;
	if (is_ours(&rule)) {
		if (!order->there) {
			order->there = true;
			order->priority = rule.priority;
			order->behind = order->any;
		}
	} else if (!order->any && may_take(reading->plan, &rule)) {
		order->any = true;
		order->first = rule.priority;
	}
	return MNL_CB_OK;
}

static int read_once(const struct intercept_plan *plan, int family, struct rule_order *out)
{
	/* Its own, as the rest of the answer may stay unread. */
	struct netlink *netlink = netlink_open(NETLINK_ROUTE);
	struct reading reading = {plan, out};
	struct fib_rule_hdr *header;
	struct nlmsghdr *request;
	int err;

	*out = (struct rule_order){0};
	if (!netlink)
		return -errno;
	request = netlink_begin(netlink, RTM_GETRULE, NLM_F_DUMP);
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->family = (uint8_t)family;
	err = netlink_send(netlink, on_rule, &reading);
	netlink_close(netlink);
	return err;
}

int rule_order_read(const struct intercept_plan *plan, int family, struct rule_order *out)
{
	int err = -EINTR;

	for (int tries = 0; err == -EINTR && tries < TRIES; tries++)
		err = read_once(plan, family, out);
	return err;
}
