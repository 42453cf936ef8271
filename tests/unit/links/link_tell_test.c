/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which changes of links are told of; on_event_tell() is a fake that remembers the last ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "links/link_portals.h"
#include "links/link_tell.h"
#include "on_event/on_event.h"

static char told[512]; /* "EVENT NAME=TEXT…;" of each */
static struct link_told memory;
static struct link link;

void __wrap_on_event_tell(struct on_event *on_event, const char *event,
			  const struct hook_value *values, size_t count);

void __wrap_on_event_tell(struct on_event *on_event, const char *event,
			  const struct hook_value *values, size_t count)
{
	size_t len = strlen(told);

	(void)on_event;
	len += (size_t)snprintf(told + len, sizeof(told) - len, "%s", event);
	for (size_t i = 0; i < count; i++)
		if (*values[i].text && strcmp(values[i].name, "TEXT") != 0 &&
		    strcmp(values[i].name, "DEVICE") != 0)
			len += (size_t)snprintf(told + len, sizeof(told) - len, " %s=%s",
						values[i].name, values[i].text);
	snprintf(told + len, sizeof(told) - len, ";");
}

static int begin(void **state)
{
	(void)state;
	memory = (struct link_told){0};
	link = (struct link){.config = {.name = "dsl", .device = "wan0", .quota = 1000}};
	return 0;
}

/* As with USB tethering: one went, was told to be down, and another has its table now. */
static void who_comes_back_is_known(void **state)
{
	static struct link_told all[LINKS_MAX];
	struct link links[LINKS_MAX] = {0};

	(void)state;
	for (size_t i = 0; i < LINKS_MAX; i++) {
		snprintf(links[i].config.name, sizeof(links[i].config.name), "usb%zu", i);
		snprintf(all[i].name, sizeof(all[i].name), "usb%zu", i);
	}
	assert_ptr_equal(link_told_of(all, "usb3", links, LINKS_MAX), &all[3]);
	/* Not followed any more, and still known. */
	assert_ptr_equal(link_told_of(all, "usb3", links, 3), &all[3]);
	/* A new one takes the place of one that is not followed, or better of none. */
	assert_ptr_equal(link_told_of(all, "usb77", links, 5), &all[5]);
	all[9].name[0] = '\0';
	assert_ptr_equal(link_told_of(all, "usb77", links, 5), &all[9]);
}

static void events_of_a_state(void **state)
{
	(void)state;
	assert_true(link_tell_is_state("link-up"));
	assert_true(link_tell_is_state("link-down"));
	assert_true(link_tell_is_state("link-demoted"));
	assert_false(link_tell_is_state("link-quota"));
	assert_false(link_tell_is_state("portal-found"));
	assert_false(link_tell_is_state(""));
}

/* What is told when the link is in this state. */
static void expect(enum link_state state, const char *expected)
{
	*told = '\0';
	link.state = state;
	link_tell_state(NULL, &memory, &link);
	assert_string_equal(told, expected);
}

static void up_and_down(void **state)
{
	(void)state;
	expect(LINK_STATE_UP, "");
	expect(LINK_STATE_STANDBY, "");
	expect(LINK_STATE_NO_CARRIER, "link-down LINK=dsl STATE=no-carrier STATE_BEFORE=up;");
	/* Why it is down may change. */
	expect(LINK_STATE_NO_ADDRESS, "");
	expect(LINK_STATE_UP, "link-up LINK=dsl STATE=up STATE_BEFORE=no-carrier;");
	expect(LINK_STATE_QUOTA, "link-down LINK=dsl STATE=quota STATE_BEFORE=up;");
}

static void demoted(void **state)
{
	(void)state;
	expect(LINK_STATE_UP, "");
	expect(LINK_STATE_TRIAL, "");
	expect(LINK_STATE_DEMOTED, "link-demoted LINK=dsl STATE=demoted STATE_BEFORE=up;");
	expect(LINK_STATE_TRIAL, "");
	expect(LINK_STATE_DEMOTED, "");
	expect(LINK_STATE_UP, "link-up LINK=dsl STATE=up STATE_BEFORE=demoted;");
}

static void seen_for_the_first_time(void **state)
{
	(void)state;
	expect(LINK_STATE_OFF, "");
	expect(LINK_STATE_NO_ANSWER, "link-down LINK=dsl STATE=no-answer;");
	/* Another link in its place. */
	snprintf(link.config.name, sizeof(link.config.name), "lte");
	expect(LINK_STATE_UP, "");
	expect(LINK_STATE_OFF, "link-down LINK=lte STATE=off STATE_BEFORE=up;");
}

static void expect_portal(const struct link_portal *portal, const char *expected)
{
	*told = '\0';
	link_tell_portal(NULL, &memory, &link, portal);
	assert_string_equal(told, expected);
}

/* Told once it is known who answers, and once that it is gone, whatever has become of the link. */
static void portals(void **state)
{
	struct link_portal portal = {.location = "http://10.0.0.1/"};

	(void)state;
	link.table = 28002;
	expect_portal(NULL, "");
	expect(LINK_STATE_PORTAL, "link-down LINK=dsl STATE=portal;");
	expect_portal(&portal, "");
	portal.at.sa.sa_family = AF_INET;
	expect_portal(&portal, "portal-found LINK=dsl STATE=portal LOGIN=http://203.0.113.102/ "
			       "PORTAL=http://10.0.0.1/;");
	expect_portal(&portal, "");
	expect(LINK_STATE_NO_CARRIER, "");
	expect_portal(NULL, "portal-gone LINK=dsl STATE=no-carrier;");
	expect_portal(NULL, "");
}

static void take(const char *since, uint64_t was, uint64_t bytes, const char *expected)
{
	struct quota_usage before = {.month = {.since = "2026-11-01", .bytes = was}};
	struct quota_usage after = {.month = {.bytes = bytes}};

	snprintf(after.month.since, sizeof(after.month.since), "%s", since);
	*told = '\0';
	link_tell_quota(NULL, &link.config, &before, &after);
	assert_string_equal(told, expected);
}

#define QUOTA_TOLD(percent, used, month)                                                           \
	"link-quota LINK=dsl PERCENT=" percent " USED=" used " QUOTA=1000 SINCE=" month ";"

static void quota_once_a_level(void **state)
{
	(void)state;
	take("2026-11-01", 0, 799, "");
	take("2026-11-01", 799, 800, QUOTA_TOLD("80", "800", "2026-11-01"));
	take("2026-11-01", 800, 999, "");
	take("2026-11-01", 999, 1200, QUOTA_TOLD("100", "1200", "2026-11-01"));
	take("2026-11-01", 1200, 1300, "");
	take("2026-11-01", 10, 1000,
	     QUOTA_TOLD("80", "1000", "2026-11-01") QUOTA_TOLD("100", "1000", "2026-11-01"));
	/* Another month begins at 0. */
	take("2026-12-01", 1300, 50, "");
	take("2026-12-01", 1300, 900, QUOTA_TOLD("80", "900", "2026-12-01"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_of_a_state),
		cmocka_unit_test_setup(up_and_down, begin),
		cmocka_unit_test(who_comes_back_is_known),
		cmocka_unit_test_setup(demoted, begin),
		cmocka_unit_test_setup(seen_for_the_first_time, begin),
		cmocka_unit_test_setup(portals, begin),
		cmocka_unit_test_setup(quota_once_a_level, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
