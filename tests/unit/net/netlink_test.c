/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers that are not read to their end by whoever asked, in a network namespace of so many
 * interfaces that a dump of them comes in many parts. */
#include "net/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define PAIRS 60

static struct netlink *netlink;
static unsigned int seen;

static int add_interface(const char *name)
{
	struct nlmsghdr *header;
	struct netlink *other = netlink_open(NETLINK_ROUTE);
	struct nlattr *info;
	int err;

	assert_non_null(other);
	header = netlink_begin(other, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(header, IFLA_LINKINFO);
	mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
	mnl_attr_nest_end(header, info);
	err = netlink_send(other, NULL, NULL);
	netlink_close(other);
	return err;
}

static int dump(mnl_cb_t on_message)
{
	struct nlmsghdr *header = netlink_begin(netlink, RTM_GETLINK, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	seen = 0;
	return netlink_send(netlink, on_message, NULL);
}

static int count(const struct nlmsghdr *header, void *context)
{
	(void)header;
	(void)context;
	seen++;
	return MNL_CB_OK;
}

static int overtake(const struct nlmsghdr *header, void *context)
{
	if (seen == 0)
		assert_int_equal(add_interface("overtaking"), 0);
	return count(header, context);
}

static int give_up(const struct nlmsghdr *header, void *context)
{
	(void)header;
	(void)context;
	errno = ENOMEM;
	return MNL_CB_ERROR;
}

static int set_up(void **state)
{
	char name[16];

	(void)state;
	if (unshare(CLONE_NEWNET))
		return 0;
	netlink = netlink_open(NETLINK_ROUTE);
	for (int i = 0; i < PAIRS; i++) {
		snprintf(name, sizeof(name), "pair%d", i);
		if (add_interface(name))
			return -1;
	}
	return netlink ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	netlink_close(netlink);
	netlink = NULL;
	return 0;
}

static void a_dump_that_was_overtaken_is_begun_anew_on_the_same_socket(void **state)
{
	(void)state;
	if (!netlink)
		skip();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(dump(count), 0);
		assert_true(seen > 2 * PAIRS);
	}
	assert_int_equal(dump(overtake), -EINTR);
	assert_int_equal(dump(count), 0);
	assert_int_equal(seen, 1 + 2 * (PAIRS + 1));
}

static void so_is_one_whose_reader_gave_up(void **state)
{
	(void)state;
	if (!netlink)
		skip();
	assert_int_equal(dump(give_up), -ENOMEM);
	assert_int_equal(dump(count), 0);
	assert_int_equal(seen, 1 + 2 * PAIRS);
}

static int ask_for_one(mnl_cb_t on_message, bool acknowledged, int index)
{
	struct nlmsghdr *header = netlink_begin(netlink, RTM_GETLINK, 0);
	struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

	if (!acknowledged)
		header->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	message->ifi_index = index;
	seen = 0;
	return netlink_send(netlink, on_message, NULL);
}

static int take_one(const struct nlmsghdr *header, void *context)
{
	(void)count(header, context);
	return MNL_CB_STOP;
}

static void single_answers_end_where_they_should(void **state)
{
	(void)state;
	if (!netlink)
		skip();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask_for_one(give_up, true, 1), -ENOMEM);
		assert_int_equal(ask_for_one(count, true, 1), 0);
		assert_int_equal(seen, 1);
		assert_int_equal(ask_for_one(take_one, false, 1), 0);
		assert_int_equal(seen, 1);
		assert_int_equal(ask_for_one(count, true, 1 << 20), -ENODEV);
		assert_int_equal(seen, 0);
	}
}

#define NETLINK_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NETLINK_TEST(a_dump_that_was_overtaken_is_begun_anew_on_the_same_socket),
		NETLINK_TEST(so_is_one_whose_reader_gave_up),
		NETLINK_TEST(single_answers_end_where_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
