/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/start_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <json-c/json.h>

#include "base/log.h"
#include "config/config.h"
#include "daemon/listen_open.h"
#include "daemon/open_files.h"
#include "daemon/report_intercept.h"
#include "intercept/plan.h"

static int check_listener(const struct listen_config *listen)
{
	const enum listen_address judged = listen_address_judge(listen);
	char text[ADDRESS_TEXT_MAX];
	int err = 0;

	if (judged == LISTEN_ADDRESS_OFF)
		return -EADDRNOTAVAIL;
	if (judged != LISTEN_ADDRESS_NEVER)
		err = listen_check_free(listen);
	if (err == -EADDRINUSE) {
		log_warning(
			"listen on %s: the address is in use now, perhaps by a hawserd that runs",
			address_format(&listen->address, text));
		err = 0;
	}
	return err ? listen_complain(listen, err) : 0;
}

/* The last directory is made at the start, those above it are not. */
static int check_control(const struct config *config)
{
	char above[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct stat status;
	char *slash;

	if (config->control_is_default)
		return 0;
	snprintf(above, sizeof(above), "%s", config->control);
	for (int i = 0; i < 2 && (slash = strrchr(above, '/')) && slash != above; i++) {
		*slash = '\0';
		if (stat(above, &status) == 0) {
			if (S_ISDIR(status.st_mode))
				break;
			errno = ENOTDIR;
			i = 1;
		}
		if (i == 1 || errno != ENOENT) {
			log_error("control socket %s: %s: %s", config->control, above,
				  strerror(errno));
			return -errno;
		}
	}
	return 0;
}

/* hawserd starts all the same, and says so in its status. */
static void check_interception(const struct config *config)
{
	struct json_object *settings = report_intercept_settings(config, NULL, config->control);
	struct intercept_fault fault = {0};
	struct intercept_plan plan;

	if (config->intercept.up && !intercept_plan_make(&plan, settings, NULL, NULL, &fault))
		log_warning("intercept { up = yes } will not work: %s", fault.seen);
	json_object_put(settings);
}

int start_check(const struct config *config)
{
	struct open_files files;
	int err = open_files_share(config, &files);

	check_interception(config);
	for (size_t i = 0; !err && i < config->listen_count; i++)
		err = check_listener(&config->listen[i]);
	return err ? err : check_control(config);
}
