/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon: command line and configuration, then its life. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "base/heap.h"
#include "base/log.h"
#include "base/standard_fds.h"
#include "config/config.h"
#include "config/config_load.h"
#include "config/options.h"
#include "daemon/daemon.h"
#include "daemon/keeper.h"
#include "daemon/start_check.h"
#include "net/kernel.h"

#define EXIT_CONFIG 2

/* --check. Returns the exit status. */
static int check(const struct options *options, const struct config *config)
{
	const char *file = options_file(options);

	if (start_check(config))
		return EXIT_FAILURE;
	printf("%s: ok\n", file ? file : "configuration");
	return EXIT_SUCCESS;
}

static int serve(const struct options *options, struct config *config)
{
	const char *file = options_file(options);

	log_set_level(config->log_level);
	log_begin_service();
	log_info("configuration: %s", file ? file : "no file, the command line and defaults");
	kernel_probe();
	return daemon_run(options, config) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct options *options;
	struct config *config;
	int status = EXIT_CONFIG;

	standard_fds_open();
	heap_keep_tables(true);
	options = options_parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	/* Of log rotation, which may come while we start. */
	signal(SIGUSR1, SIG_IGN);
	if (sodium_init() < 0) {
		log_error("libsodium: no source of random numbers");
		return EXIT_FAILURE;
	}
	if (keeper_is_behind())
		keeper_follow();
	else if (options_wants_keeper(options) && !options_check_only(options))
		keeper_run(argv);
	config = config_load(options);
	if (config && options_check_only(options)) {
		status = check(options, config);
		config_put(config);
	} else if (config) {
		status = serve(options, config);
	}
	options_free(options);
	return status;
}
