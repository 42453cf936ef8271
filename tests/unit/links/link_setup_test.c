/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is set up in a kernel that refuses some of it, as others or its limits have it. */
#include "links/link_setup.h"

#include <errno.h>
#include <linux/mptcp.h>
#include <stdlib.h>

#include "config/config.h"
#include "link_fixture.h"
#include "links/link_journal.h"
#include "net/mptcp_diag.h"
#include "net/mptcp_pm.h"
#include "net/route.h"

#define NO_GATEWAY "192.0.2.255" /* the kernel refuses it */

/* The kernel's path manager. */
static struct {
	bool tells_little; /* as Linux 6.1 */
	bool refuses_all;
	struct mptcp_pm_endpoint endpoints[8];
	size_t count;
	uint8_t id;
	unsigned int asked; /* to add one */
	unsigned int looks; /* at subflows */
	struct mptcp_pm_limits limits;
} pm;
static struct mptcp_diag_subflow subflow; /* of token 0: there is none */
static struct net_rule rules[80];
static struct net_route kernel_routes[40];
static struct link links[LINKS_MAX];
static size_t link_count;
static struct link_setup *link_setup;

struct mptcp_pm *__wrap_mptcp_pm_open(void);
void __wrap_mptcp_pm_close(struct mptcp_pm *unused);
int __wrap_mptcp_pm_list(struct mptcp_pm *unused,
			 struct mptcp_pm_endpoint out[MPTCP_PM_ENDPOINTS_MAX], size_t *count);
int __wrap_mptcp_pm_add(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint);
int __wrap_mptcp_pm_delete(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint);
int __wrap_mptcp_pm_set_flags(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint);
int __wrap_mptcp_pm_cut(struct mptcp_pm *unused, const union address *address);
int __wrap_mptcp_pm_get_limits(struct mptcp_pm *unused, struct mptcp_pm_limits *out);
int __wrap_mptcp_pm_set_limits(struct mptcp_pm *unused, const struct mptcp_pm_limits *limits);
int __wrap_mptcp_diag_list(struct mptcp_diag_subflow **out, size_t *count);
struct link_journal *__wrap_link_journal_open(struct link_journal_data *data);
int __wrap_link_journal_write(struct link_journal *record, const struct link_journal_data *data);
void __wrap_link_journal_close(struct link_journal *record, bool remove);
int __wrap_route_add(struct netlink *netlink, const struct net_route *route);
int __wrap_route_delete(struct netlink *netlink, const struct net_route *route);
int __wrap_link_rule_add(struct netlink *netlink, const struct net_rule *rule);
int __wrap_link_rule_delete(struct netlink *netlink, const struct net_rule *rule);

struct mptcp_pm *__wrap_mptcp_pm_open(void)
{
	return (struct mptcp_pm *)&pm;
}

void __wrap_mptcp_pm_close(struct mptcp_pm *unused)
{
	(void)unused;
}

int __wrap_mptcp_pm_list(struct mptcp_pm *unused,
			 struct mptcp_pm_endpoint out[MPTCP_PM_ENDPOINTS_MAX], size_t *count)
{
	(void)unused;
	memcpy(out, pm.endpoints, pm.count * sizeof(out[0]));
	*count = pm.count;
	return 0;
}

static bool is_of(const struct mptcp_pm_endpoint *there, const struct mptcp_pm_endpoint *other)
{
	return address_same_ip(&there->address, &other->address) &&
	       address_port(&there->address) == address_port(&other->address);
}

/* By the order of the kernel's own checks. */
int __wrap_mptcp_pm_add(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint)
{
	size_t i = 0;

	(void)unused;
	pm.asked++;
	if (pm.refuses_all)
		return -ENOMEM;
	if (pm.count == sizeof(pm.endpoints) / sizeof(pm.endpoints[0]))
		return pm.tells_little ? -EINVAL : -ERANGE;
	while (i < pm.count && !is_of(&pm.endpoints[i], endpoint))
		i++;
	if (i < pm.count && !(pm.endpoints[i].flags & MPTCP_PM_FLAG_IMPLICIT))
		return pm.tells_little ? -EINVAL : -EEXIST;
	pm.count += i == pm.count;
	pm.endpoints[i] = *endpoint;
	pm.endpoints[i].id = ++pm.id;
	return 0;
}

int __wrap_mptcp_pm_delete(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint)
{
	(void)unused;
	for (size_t i = 0; i < pm.count; i++) {
		if (pm.endpoints[i].id == endpoint->id) {
			pm.endpoints[i] = pm.endpoints[--pm.count];
			return 0;
		}
	}
	return 0;
}

int __wrap_mptcp_pm_set_flags(struct mptcp_pm *unused, const struct mptcp_pm_endpoint *endpoint)
{
	(void)unused;
	for (size_t i = 0; i < pm.count; i++)
		if (pm.endpoints[i].id == endpoint->id)
			pm.endpoints[i].backup = endpoint->backup;
	return 0;
}

int __wrap_mptcp_pm_cut(struct mptcp_pm *unused, const union address *address)
{
	(void)unused;
	(void)address;
	return 0;
}

int __wrap_mptcp_pm_get_limits(struct mptcp_pm *unused, struct mptcp_pm_limits *out)
{
	(void)unused;
	*out = pm.limits;
	return 0;
}

int __wrap_mptcp_pm_set_limits(struct mptcp_pm *unused, const struct mptcp_pm_limits *limits)
{
	(void)unused;
	if (pm.refuses_all)
		return -ENOMEM;
	pm.limits = *limits;
	return 0;
}

int __wrap_mptcp_diag_list(struct mptcp_diag_subflow **out, size_t *count)
{
	pm.looks++;
	*count = subflow.token > 0;
	*out = calloc(1, sizeof(**out));
	**out = subflow;
	return 0;
}

struct link_journal *__wrap_link_journal_open(struct link_journal_data *data)
{
	*data = (struct link_journal_data){0};
	return (struct link_journal *)&pm;
}

int __wrap_link_journal_write(struct link_journal *record, const struct link_journal_data *data)
{
	(void)record;
	(void)data;
	return 0;
}

void __wrap_link_journal_close(struct link_journal *record, bool remove)
{
	(void)record;
	(void)remove;
}

static bool is_refused(const union address *gateway)
{
	const union address refused = ip(NO_GATEWAY);

	return pm.refuses_all || address_same_ip(gateway, &refused);
}

int __wrap_route_add(struct netlink *netlink, const struct net_route *route)
{
	(void)netlink;
	if (is_refused(&route->gateway))
		return -EINVAL;
	kernel_routes[view.route_count] = *route;
	kernel_routes[view.route_count++].ours = true;
	return 0;
}

int __wrap_route_delete(struct netlink *netlink, const struct net_route *route)
{
	(void)netlink;
	(void)route;
	return 0;
}

int __wrap_link_rule_add(struct netlink *netlink, const struct net_rule *rule)
{
	(void)netlink;
	if (pm.refuses_all)
		return -EAFNOSUPPORT;
	rules[view.rule_count++] = *rule;
	return 0;
}

int __wrap_link_rule_delete(struct netlink *netlink, const struct net_rule *rule)
{
	(void)netlink;
	(void)rule;
	return 0;
}

static const char *address_of(size_t link, enum ip_family family)
{
	static char text[ADDRESS_TEXT_MAX];

	snprintf(text, sizeof(text), family == IP_V4 ? "10.0.%zu.1" : "fd00:%zu::1", link + 1);
	return text;
}

/* Links that work, with both families. */
static void has_links(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		links[i] = (struct link){.table = LINK_TABLE_FIRST + 1 + (uint32_t)i,
					 .device = DSL + (int)i};
		for (enum ip_family family = 0; family < IP_FAMILIES; family++)
			links[i].paths[family] =
				(struct link_path){.address = ip(address_of(i, family)),
						   .gateway = ip(family ? "fe80::1" : "192.0.2.1"),
						   .routed = true,
						   .works = true};
	}
	link_count = count;
}

static void works(size_t link, bool works)
{
	for (enum ip_family family = 0; family < IP_FAMILIES; family++)
		links[link].paths[family].works = works;
}

static int start(void **state)
{
	setup(state);
	memset(&pm, 0, sizeof(pm));
	view.routes = kernel_routes;
	view.rules = rules;
	subflow = (struct mptcp_diag_subflow){0};
	link_setup = link_setup_open(NULL);
	return link_setup ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	link_setup_leave(link_setup);
	return 0;
}

static int apply(void)
{
	return link_setup_apply(link_setup, &view, links, link_count);
}

/* As the daemon does until there is nothing more to do. */
static void settle(void)
{
	for (int i = 0; i < 4 && (apply() || link_setup_is_disturbed(link_setup)); i++)
		;
	assert_int_equal(apply(), 0);
	assert_false(link_setup_is_disturbed(link_setup));
}

static const struct mptcp_pm_endpoint *there(const char *address)
{
	const union address wanted = ip(address);

	for (size_t i = 0; i < pm.count; i++)
		if (address_same_ip(&pm.endpoints[i].address, &wanted))
			return &pm.endpoints[i];
	return NULL;
}

static bool has(size_t link, enum ip_family family)
{
	return there(address_of(link, family)) != NULL;
}

static void others_have(const char *address, uint16_t port, int device, uint32_t flags)
{
	struct mptcp_pm_endpoint *endpoint = &pm.endpoints[pm.count++];

	*endpoint = (struct mptcp_pm_endpoint){
		.address = ip(address), .device = device, .flags = flags, .id = ++pm.id};
	if (port)
		address_set_port(&endpoint->address, port);
}

/* It holds up nothing else, nobody is said to have deleted it, and it is named. */
static void a_refused_route_concerns_one_link(void **state)
{
	(void)state;
	has_links(2);
	links[0].paths[IP_V4].gateway = ip(NO_GATEWAY);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(apply(), -EINVAL);
		assert_string_equal(link_setup_refused(link_setup),
				    "route default via 192.0.2.255 dev dsl0");
		assert_string_equal(link_setup_restored(link_setup), "");
		assert_true(has(1, IP_V4) && has(1, IP_V6) && has(0, IP_V6));
		assert_int_equal(pm.limits.subflows, 8);
	}
	works(1, false);
	assert_int_equal(apply(), -EINVAL);
	assert_false(has(1, IP_V4) || has(1, IP_V6));
	works(1, true);
	links[0].paths[IP_V4].gateway = ip("192.0.2.1");
	assert_int_equal(apply(), 0);
	assert_string_equal(link_setup_refused(link_setup), "");
	assert_string_equal(link_setup_restored(link_setup), "");
	assert_true(has(1, IP_V4) && has(1, IP_V6));
}

/* Counted once it is, and not before. */
static void only_what_is_put_back_is_counted(void **state)
{
	(void)state;
	has_links(1);
	assert_int_equal(apply(), 0);
	pm.count = view.route_count = view.rule_count = 0;
	pm.limits = (struct mptcp_pm_limits){0};
	pm.refuses_all = true;
	assert_int_equal(apply(), -EINVAL);
	assert_string_equal(link_setup_restored(link_setup), "");
	pm.refuses_all = false;
	assert_int_equal(apply(), 0);
	pm.count = view.route_count = view.rule_count = 0;
	pm.limits = (struct mptcp_pm_limits){0};
	assert_int_equal(apply(), 0);
	assert_string_equal(link_setup_restored(link_setup),
			    "rules: 4, routes: 2, endpoints: 2, limits: 1");
	assert_int_equal(apply(), 0);
	assert_string_equal(link_setup_restored(link_setup), "");
}

/* It serves, and nobody looks at connections for it, whatever the kernel would say. */
static void what_others_have_serves(void **state)
{
	static const struct exit_config exit_ = {.place.destination.port = 1080};
	static const struct {
		int device;
		uint32_t flags;
	} kinds[] = {{DSL, MPTCP_PM_ADDR_FLAG_SIGNAL},
		     {0, MPTCP_PM_ADDR_FLAG_SIGNAL},
		     {0, MPTCP_PM_ADDR_FLAG_SUBFLOW},
		     {LTE, MPTCP_PM_ADDR_FLAG_SUBFLOW | MPTCP_PM_ADDR_FLAG_BACKUP},
		     {DSL, MPTCP_PM_ADDR_FLAG_SUBFLOW}};

	for (size_t i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (i > 0) {
			stop(state);
			start(state);
		}
		pm.tells_little = i % 2;
		has_links(1);
		link_setup_meet(link_setup, &exit_, 1);
		others_have(address_of(0, IP_V4), 0, kinds[i / 2].device, kinds[i / 2].flags);
		others_have(address_of(0, IP_V6), 0, kinds[i / 2].device, kinds[i / 2].flags);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(apply(), 0);
			assert_int_equal(pm.asked, 0);
			assert_int_equal(pm.looks, 0);
			assert_false(link_setup_is_disturbed(link_setup));
			assert_string_equal(link_setup_crowded(link_setup), "");
		}
		assert_int_equal(pm.endpoints[0].flags, kinds[i / 2].flags);
	}
}

/* Beside one with a port there may be another, and one that the kernel has made by itself is
 * replaced. */
static void what_others_have_does_not_serve(void **state)
{
	(void)state;
	has_links(1);
	others_have(address_of(0, IP_V4), 1081, 0, MPTCP_PM_ADDR_FLAG_SIGNAL);
	others_have(address_of(0, IP_V6), 0, 0, MPTCP_PM_FLAG_IMPLICIT);
	assert_int_equal(apply(), 0);
	assert_int_equal(pm.count, 3);
	assert_int_equal(there(address_of(0, IP_V6))->device, DSL);
}

/* Each has one before any has a second, and nobody tries in vain. */
static void each_link_has_an_endpoint(bool tells_little)
{
	unsigned int asked;

	pm.tells_little = tells_little;
	has_links(5);
	links[0].config.role = LINK_ROLE_BACKUP;
	settle();
	asked = pm.asked;
	for (size_t i = 0; i < 5; i++) {
		assert_true(has(i, IP_V4));
		assert_int_equal(has(i, IP_V6), i > 0 && i < 4);
	}
	assert_string_equal(link_setup_crowded(link_setup), "fd00:5::1, fd00:1::1");
	assert_string_equal(link_setup_restored(link_setup), "");
	settle();
	assert_int_equal(pm.asked, asked);
	/* A link goes and comes. */
	works(1, false);
	settle();
	assert_true(has(0, IP_V6) && has(4, IP_V6) && !has(1, IP_V4));
	assert_string_equal(link_setup_crowded(link_setup), "");
	works(1, true);
	settle();
	assert_true(has(1, IP_V4) && has(1, IP_V6) && !has(0, IP_V6) && !has(4, IP_V6));
	/* Others take places, and give them back. */
	works(3, false);
	settle();
	works(3, true);
	pm.count--;
	others_have("198.51.100.1", 0, 0, MPTCP_PM_ADDR_FLAG_SIGNAL);
	settle();
	for (size_t i = 0; i < 5; i++)
		assert_true(has(i, IP_V4));
	assert_non_null(there("198.51.100.1"));
	assert_string_equal(link_setup_crowded(link_setup), "fd00:4::1, fd00:5::1, fd00:1::1");
	for (size_t i = 0; i < pm.count; i++)
		if (pm.endpoints[i].flags & MPTCP_PM_ADDR_FLAG_SIGNAL)
			pm.endpoints[i] = pm.endpoints[--pm.count];
	assert_true(link_setup_is_disturbed(link_setup));
	settle();
	assert_true(has(3, IP_V6));
}

static void more_addresses_than_endpoints(void **state)
{
	(void)state;
	each_link_has_an_endpoint(false);
}

static void more_addresses_than_endpoints_in_linux_6_1(void **state)
{
	(void)state;
	each_link_has_an_endpoint(true);
}

/* Who has nothing else keeps it for a while, as a backup, and nobody tries meanwhile. */
static void room_is_not_made_at_once(void **state)
{
	unsigned int asked;

	(void)state;
	has_links(5);
	works(0, false);
	settle();
	assert_true(has(4, IP_V6));
	subflow = (struct mptcp_diag_subflow){.local = ip(address_of(4, IP_V6)),
					      .far = ip("fd00:99::1"),
					      .token = 7,
					      .dialled = true,
					      .established = true,
					      .by_peer = true};
	works(0, true);
	assert_int_equal(apply(), -EAGAIN); /* now it is known how many there may be */
	for (int i = 0; i < 3; i++)
		assert_int_equal(apply(), 0);
	asked = pm.asked;
	assert_true(has(4, IP_V6) && there(address_of(4, IP_V6))->backup);
	assert_true(has(0, IP_V4) && !has(0, IP_V6));
	assert_int_equal(apply(), 0);
	assert_int_equal(pm.asked, asked);
	subflow.token = 0;
	settle();
	assert_true(has(0, IP_V4) && has(0, IP_V6) && !has(4, IP_V6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_refused_route_concerns_one_link, start, stop),
		cmocka_unit_test_setup_teardown(only_what_is_put_back_is_counted, start, stop),
		cmocka_unit_test_setup_teardown(what_others_have_serves, start, stop),
		cmocka_unit_test_setup_teardown(what_others_have_does_not_serve, start, stop),
		cmocka_unit_test_setup_teardown(more_addresses_than_endpoints, start, stop),
		cmocka_unit_test_setup_teardown(more_addresses_than_endpoints_in_linux_6_1, start,
						stop),
		cmocka_unit_test_setup_teardown(room_is_not_made_at_once, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
