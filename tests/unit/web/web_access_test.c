/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who sees metrics: by address, by token, and by which name. */
#include "web/web_access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "http/http_server.h"

#define TOKEN "0123456789abcdef"

static struct config *config;

static int setup(void **state)
{
	(void)state;
	config = config_new();
	return config ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	config_put(config);
	return 0;
}

static void want_token(void)
{
	config->metrics.token = strdup(TOKEN);
	assert_non_null(config->metrics.token);
}

static void allow(const char *text)
{
	config->metrics.allow = calloc(1, sizeof(struct prefix));
	assert_non_null(config->metrics.allow);
	assert_int_equal(prefix_parse(text, config->metrics.allow), 0);
	config->metrics.allow_count = 1;
}

static enum web_access judge(const char *client, const char *host, const char *authorization)
{
	union address address;

	assert_int_equal(address_parse(client, &address), 0);
	return web_access_judge(config, "router",
				&(struct http_call){.client = &address,
						    .host = host,
						    .authorization = authorization});
}

static void loopback_alone(void **state)
{
	(void)state;
	assert_int_equal(judge("127.0.0.1:1", "127.0.0.1:9180", NULL), WEB_LET_IN);
	assert_int_equal(judge("[::1]:1", "[::1]:9180", NULL), WEB_LET_IN);
	assert_int_equal(judge("192.0.2.1:1", "127.0.0.1:9180", NULL), WEB_NOT_ALLOWED);
	assert_int_equal(judge("192.0.2.1:1", "127.0.0.1:9180", "Bearer " TOKEN), WEB_NOT_ALLOWED);
}

static void allowed_range(void **state)
{
	(void)state;
	allow("192.0.2.0/24");
	assert_int_equal(judge("192.0.2.1:1", "192.0.2.9", NULL), WEB_LET_IN);
	assert_int_equal(judge("192.0.3.1:1", "192.0.2.9", NULL), WEB_NOT_ALLOWED);
	assert_int_equal(judge("127.0.0.1:1", "localhost", NULL), WEB_LET_IN);
}

static void token(void **state)
{
	static const char *const wrong[] = {
		"Bearer",   "Bearer ",		"Bearer " TOKEN "0", "Bearer 0123456789abcdeF",
		"bearer x", "Bearer " TOKEN " "};

	(void)state;
	want_token();
	assert_int_equal(judge("192.0.2.1:1", "a.example", "Bearer " TOKEN), WEB_LET_IN);
	assert_int_equal(judge("192.0.2.1:1", "a.example", "bearer   " TOKEN), WEB_LET_IN);
	assert_int_equal(judge("127.0.0.1:1", "localhost", NULL), WEB_NO_TOKEN);
	assert_int_equal(judge("127.0.0.1:1", "localhost", "Basic " TOKEN), WEB_NO_TOKEN);
	assert_int_equal(judge("127.0.0.1:1", "localhost", wrong[0]), WEB_NO_TOKEN);
	for (size_t i = 1; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(judge("127.0.0.1:1", "localhost", wrong[i]), WEB_WRONG_TOKEN);
}

/* One in the range needs none, but a wrong one is told. */
static void token_and_range(void **state)
{
	(void)state;
	want_token();
	allow("192.0.2.0/24");
	assert_int_equal(judge("192.0.2.1:1", NULL, NULL), WEB_LET_IN);
	assert_int_equal(judge("192.0.2.1:1", NULL, "Bearer x"), WEB_WRONG_TOKEN);
	assert_int_equal(judge("127.0.0.1:1", NULL, NULL), WEB_NO_TOKEN);
}

static void other_sites(void **state)
{
	static const struct {
		const char *site, *path;
		enum web_access access;
	} cases[] = {
		{"cross-site", "/metrics", WEB_CROSS_SITE},
		{"Cross-Site", "/api/status", WEB_CROSS_SITE},
		{"cross-site", "/", WEB_LET_IN}, /* a link */
		{"same-origin", "/metrics", WEB_LET_IN},
		{"none", "/metrics", WEB_LET_IN},
		{NULL, "/metrics", WEB_LET_IN},
	};
	union address address;

	(void)state;
	assert_int_equal(address_parse("127.0.0.1:1", &address), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(web_access_judge(config, "router",
						  &(struct http_call){.client = &address,
								      .path = cases[i].path,
								      .fetch_site = cases[i].site}),
				 cases[i].access);
}

static void names(void **state)
{
	static const char *const own[] = {"localhost",	    "LOCALHOST:9180", "router",
					  "Router.:80",	    "192.168.1.1",    "[fd00::1]",
					  "[fd00::1]:9180", "box.lan"};
	static const char *const others[] = {"",
					     "evil.example:9180",
					     "router.evil.example",
					     "127.0.0.1.evil.example",
					     "1.2.3.4.5",
					     ":80",
					     "local",
					     "box.lan.evil.example",
					     "0x7f.1"};

	(void)state;
	config->metrics.host = calloc(1, sizeof(struct domain));
	assert_non_null(config->metrics.host);
	strcpy(config->metrics.host->name, "box.lan");
	config->metrics.host_count = 1;
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (judge("127.0.0.1:1", own[i], NULL) != WEB_LET_IN)
			fail_msg("%s", own[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (judge("127.0.0.1:1", others[i], NULL) != WEB_WRONG_HOST)
			fail_msg("%s", others[i]);
	/* No browser is without. */
	assert_int_equal(judge("127.0.0.1:1", NULL, NULL), WEB_LET_IN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(loopback_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(allowed_range, setup, teardown),
		cmocka_unit_test_setup_teardown(token, setup, teardown),
		cmocka_unit_test_setup_teardown(token_and_range, setup, teardown),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(other_sites, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
