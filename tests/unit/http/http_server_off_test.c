/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A build without libmicrohttpd refuses to serve metrics, and says why. */
#include "http/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "config/config.h"
#include "config/config_load.h"
#include "config/options.h"

static void metrics_are_refused(void **state)
{
	char *argv[] = {"hawserd", "--metrics", "127.0.0.1:9180", NULL};
	const struct options *options = options_parse(3, argv);
	char said[512];

	(void)state;
	log_collect(said, sizeof(said));
	assert_null(config_load(options));
	log_collect(NULL, 0);
	assert_non_null(strstr(said, "--metrics 127.0.0.1:9180: metrics cannot be served: this "
				     "hawserd was built without libmicrohttpd (make HTTP=0)"));
	options_free(options);
}

static void nothing_else_changes(void **state)
{
	char *argv[] = {"hawserd", "--socks", "127.0.0.1:1080", NULL};
	const struct options *options = options_parse(3, argv);
	struct config *config = config_load(options);

	(void)state;
	assert_non_null(config);
	config_put(config);
	options_free(options);
	assert_false(http_server_is_built());
	assert_null(http_server_open(NULL, NULL, NULL));
	http_server_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metrics_are_refused),
		cmocka_unit_test(nothing_else_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
