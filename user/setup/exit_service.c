/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step of `hawser exit-setup` that has hawserd run, and what is asked of one that runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "config/options.h"
#include "setup/exit_setup_private.h"
#include "setup/system_file.h"

#define START_TRIES   50
#define START_EACH_MS 200

static int systemctl(const char *verb, const char *option)
{
	const char *const words[] = {"systemctl", verb, "--quiet", "hawserd.service", option, NULL};
	char out[256];

	return system_run(words, out, sizeof(out));
}

/* Negative: there is no service manager, or no such service (`make install` brings none). Else what
 * `systemctl is-enabled` says. */
static int service_enabled(void)
{
	return systemctl("cat", NULL) ? -ENOENT : systemctl("is-enabled", NULL);
}

bool setup_find_file(const char *control, char *out)
{
	struct connection connection = {.fd = -1};
	const bool answers = control_client_try(&connection, control) &&
			     !control_client_ask(&connection, "status", 0);
	struct json_object *says = answers ? json_member(connection.answer, "configuration") : NULL;
	const char *file =
		*json_text(says, "file") ? json_text(says, "file") : json_text(says, "awaits");

	snprintf(out, PATH_MAX, "%s", answers ? file : CONFIG_FILE_DEFAULT);
	control_client_close(&connection);
	return answers;
}

int setup_reload(const char *control, char text[SETUP_TEXT_MAX])
{
	struct connection connection = {.fd = -1};
	const char *said = NULL;
	int err = -ESRCH;

	if (control_client_try(&connection, control)) {
		said = control_client_ask(&connection, "reload", 0);
		err = said ? -EINVAL : 0;
		snprintf(text, SETUP_TEXT_MAX, "hawserd does not take its configuration: %s",
			 said ? said : "");
	}
	control_client_close(&connection);
	return err;
}

/* Whether hawserd answers, and listens on the port. */
static bool serves(const struct exit_setup *setup, bool *answers)
{
	struct connection connection = {.fd = -1};
	struct json_object *listeners;
	char address[32];
	bool found = false;

	snprintf(address, sizeof(address), "0.0.0.0:%u", setup->line.destination.port);
	*answers = control_client_try(&connection, setup->control) &&
		   !control_client_ask(&connection, "status", 0);
	listeners = *answers ? json_member(connection.answer, "listeners") : NULL;
	for (size_t i = 0; i < json_length(listeners); i++)
		found = found ||
			strcmp(json_text(json_object_array_get_idx(listeners, i), "address"),
			       address) == 0;
	control_client_close(&connection);
	return found;
}

static bool service_is_done(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	const int enabled = service_enabled();
	bool answers;
	const bool done = serves(setup, &answers) && !setup->reload_due && enabled <= 0;

	snprintf(text, SETUP_TEXT_MAX, "hawserd serves port %u%s", setup->line.destination.port,
		 enabled == -ENOENT ? "" : ", also after the next boot");
	return done;
}

/* What is running takes the configuration; else the service is started. */
static int service_make(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	const struct timespec pause = {.tv_nsec = START_EACH_MS * 1000000L};
	const int enabled = service_enabled();
	bool answers;
	int err = 0;

	(void)serves(setup, &answers);
	if (enabled < 0 && !answers) {
		snprintf(text, SETUP_TEXT_MAX,
			 "there is no service hawserd; start hawserd by hand and run this again");
		return enabled;
	}
	if (enabled > 0 || !answers) {
		err = record_set(&setup->record, "service", answers ? "enabled" : "started");
		if (!err && systemctl("enable", answers ? NULL : "--now") != 0) {
			snprintf(text, SETUP_TEXT_MAX,
				 "systemctl enable --now hawserd: fails; see: journalctl -u "
				 "hawserd");
			(void)record_set(&setup->record, "service", NULL);
			return -EINVAL;
		}
	}
	if (!err && answers)
		err = setup_reload(setup->control, text);
	for (int i = 0; !err && i < START_TRIES && !serves(setup, &answers); i++)
		nanosleep(&pause, NULL);
	if (!err && !serves(setup, &answers)) {
		snprintf(text, SETUP_TEXT_MAX,
			 "hawserd does not listen on port %u; see: journalctl -u hawserd",
			 setup->line.destination.port);
		err = -ETIMEDOUT;
	}
	setup->reload_due = err != 0;
	return err;
}

static int service_undo(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char how[RECORD_VALUE_MAX];
	bool started;

	if (!record_get(&setup->record, "service", how))
		return 0;
	started = strcmp(how, "started") == 0;
	if (systemctl("disable", started ? "--now" : NULL) != 0) {
		snprintf(text, SETUP_TEXT_MAX, "systemctl disable hawserd: fails");
		return -EINVAL;
	}
	snprintf(text, SETUP_TEXT_MAX,
		 started ? "hawserd is stopped and disabled" : "hawserd is disabled");
	return record_set(&setup->record, "service", NULL);
}

const struct setup_step setup_service_step = {"service", service_is_done, service_make,
					      service_undo};
