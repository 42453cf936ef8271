/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step of `hawser exit-setup` that has hawserd run, and what is asked of one that runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "config/config.h"
#include "config/config_load.h"
#include "config/options.h"
#include "setup/exit_setup_private.h"
#include "setup/system_file.h"

/* As openwrt/hawser/files/uci-config writes it. */
#define UCI_FILE "/etc/config/hawser"
#define MADE_OF	 "# Made of " UCI_FILE "."

#define SERVICE	    "hawserd.service"
#define SOCKET_UNIT "hawserd.socket"

#define START_S	      10
#define START_EACH_MS 200

static int systemctl(const char *verb, const char *unit)
{
	const char *const words[] = {"systemctl", verb, "--quiet", unit, NULL};
	char out[256];

	return system_run(words, out, sizeof(out));
}

/* Negative: there is no service manager, or no such service (`make install` brings none). Else what
 * `systemctl is-enabled` says. */
static int service_enabled(void)
{
	return systemctl("cat", SERVICE) ? -ENOENT : systemctl("is-enabled", SERVICE);
}

/* One that drains takes nothing any more, and leaves its place to the next. */
static bool drains(struct connection *connection)
{
	return json_object_get_boolean(json_member(connection->answer, "draining"));
}

/* False, with silence, when one is there and does not answer. */
static bool ask_status(struct connection *connection, const char *control,
		       char silence[SETUP_TEXT_MAX])
{
	const char *problem;

	*silence = '\0';
	if (!control_client_try(connection, control)) {
		problem = connection->err ? "" : connection->problem;
	} else {
		problem = control_client_ask(connection, "status", 0);
		if (!problem)
			return !drains(connection);
	}
	if (*problem)
		snprintf(silence, SETUP_TEXT_MAX, "hawserd on %s: %s", control, problem);
	return false;
}

bool setup_find_file(const char *control, char *out, char silence[SETUP_TEXT_MAX])
{
	struct connection connection;
	const bool answers = ask_status(&connection, control, silence);
	struct json_object *says = answers ? json_member(connection.answer, "configuration") : NULL;
	const char *file =
		*json_text(says, "file") ? json_text(says, "file") : json_text(says, "awaits");

	snprintf(out, PATH_MAX, "%s", answers ? file : CONFIG_FILE_DEFAULT);
	control_client_close(&connection);
	return answers;
}

void setup_refuse_made(const char *file, bool answers)
{
	char *text = system_file_read(file);
	const bool is_made = strncmp(text, MADE_OF, strlen(MADE_OF)) == 0;

	free(text);
	if (is_made || (!answers && access(UCI_FILE, F_OK) == 0))
		die("hawserd reads what is made of " UCI_FILE ", and a change of %s would be "
		    "lost: change " UCI_FILE ", by LuCI's Services, Hawser, Set-up or by uci",
		    file);
}

bool setup_is_valid(const char *file)
{
	char *words[] = {"hawserd", "-c", (char *)file, NULL};
	const struct options *options = options_parse(3, words);
	struct config *config = config_load(options);
	const bool valid = config != NULL;

	config_put(config);
	options_free(options);
	return valid;
}

void setup_put_back(const char *path, const char *text)
{
	const int err = *text ? system_file_write(path, text, 0640) : unlink(path);

	if (err && errno != ENOENT)
		fprintf(stderr, "hawser: %s cannot be put back as it was\n", path);
}

/* 0 or -errno, as of setup_reload(). */
static int ask_reload(struct connection *connection, char text[SETUP_TEXT_MAX])
{
	const char *said = control_client_ask(connection, "reload", 0);

	if (!said)
		return 0;
	if (!connection->answer) {
		snprintf(text, SETUP_TEXT_MAX,
			 "hawserd has not said whether it takes its configuration: %s", said);
		return -ETIMEDOUT;
	}
	snprintf(text, SETUP_TEXT_MAX, "hawserd does not take its configuration: %s", said);
	if (!control_client_ask(connection, "status", 0) && drains(connection))
		return -ESRCH;
	return -EINVAL;
}

int setup_reload(const char *control, char text[SETUP_TEXT_MAX])
{
	struct connection connection;
	int err;

	if (control_client_try(&connection, control)) {
		err = ask_reload(&connection, text);
	} else {
		snprintf(text, SETUP_TEXT_MAX, "hawserd on %s: %s", control, connection.problem);
		err = connection.err ? -ESRCH : -ETIMEDOUT;
	}
	control_client_close(&connection);
	return err;
}

/* Whether hawserd answers, and listens on the port. */
static bool serves(const struct exit_setup *setup, bool *answers)
{
	struct connection connection;
	struct json_object *listeners;
	char silence[SETUP_TEXT_MAX];
	char address[32];
	bool found = false;

	snprintf(address, sizeof(address), "0.0.0.0:%u", setup->line.place.destination.port);
	*answers = ask_status(&connection, setup->control, silence);
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

	snprintf(text, SETUP_TEXT_MAX, "hawserd serves port %u%s",
		 setup->line.place.destination.port,
		 enabled == -ENOENT ? "" : ", also after the next boot");
	return done;
}

/* Noted before it is done: one that fails halfway is taken back, too. */
static int run_service(struct exit_setup *setup, const char *verb, char text[SETUP_TEXT_MAX])
{
	int err = record_set_first(&setup->record, verb, "hawserd");

	if (!err && systemctl(verb, SERVICE) != 0) {
		snprintf(text, SETUP_TEXT_MAX,
			 "systemctl %s hawserd: fails; see: journalctl -u hawserd", verb);
		err = -EINVAL;
	}
	return err;
}

/* Until it listens. */
static int wait_for_service(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	const struct timespec pause = {.tv_nsec = START_EACH_MS * 1000000L};
	const double end_s = clock_monotonic_s() + START_S;
	bool answers;

	do {
		if (serves(setup, &answers))
			return 0;
		nanosleep(&pause, NULL);
	} while (clock_monotonic_s() < end_s);
	snprintf(text, SETUP_TEXT_MAX,
		 "hawserd does not listen on port %u; see: journalctl -u hawserd",
		 setup->line.place.destination.port);
	return -ETIMEDOUT;
}

/* What hawserd does not take would keep it from starting after the next boot. */
static int reload(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char unsaid[SETUP_TEXT_MAX];
	const int err = setup_reload(setup->control, text);
	const size_t len = strlen(text);

	if (err == -EINVAL && !setup_undo_configuration(setup, unsaid))
		snprintf(text + len, SETUP_TEXT_MAX - len, "; %s is as it was", setup->file);
	return err;
}

/* Whether its sockets hold the port. As "127.0.0.1:1080 (Stream)", one a line. */
static bool socket_unit_listens(uint16_t port)
{
	static const char *const words[] = {"systemctl", "show",      "--value", "-p",
					    "Listen",	 SOCKET_UNIT, NULL};
	char listens[1024];
	char end[16];

	snprintf(end, sizeof(end), ":%u ", port);
	return systemctl("is-active", SOCKET_UNIT) == 0 &&
	       system_run(words, listens, sizeof(listens)) == 0 && strstr(listens, end);
}

/* They take no Multipath TCP; who uses them is not for us to guess. */
static void blame_socket_unit(uint16_t port, char text[SETUP_TEXT_MAX])
{
	const size_t len = strlen(text);

	if (socket_unit_listens(port))
		snprintf(text + len, SETUP_TEXT_MAX - len,
			 "; " SOCKET_UNIT " listens on port %u, and is not for an exit: systemctl "
			 "disable --now " SOCKET_UNIT,
			 port);
}

/* What is running takes the configuration; else the service is started. */
static int service_make(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	const int enabled = service_enabled();
	bool answers;
	int err = 0;

	(void)serves(setup, &answers);
	if (enabled < 0 && !answers) {
		snprintf(text, SETUP_TEXT_MAX,
			 "there is no service hawserd; start hawserd by hand and run this again");
		return enabled;
	}
	if (enabled > 0)
		err = run_service(setup, "enable", text);
	if (!err)
		err = answers ? reload(setup, text) : run_service(setup, "start", text);
	if (!err)
		err = wait_for_service(setup, text);
	setup->reload_due = err != 0;
	if (err)
		blame_socket_unit(setup->line.place.destination.port, text);
	return err;
}

/* Returns whether it has been done and cannot be taken back. */
static bool unrun_service(struct exit_setup *setup, const char *did, const char *verb)
{
	char known[RECORD_VALUE_MAX];

	return record_get(&setup->record, did, known) &&
	       (systemctl(verb, SERVICE) != 0 || record_set(&setup->record, did, NULL) != 0);
}

static int service_undo(struct exit_setup *setup, char text[SETUP_TEXT_MAX])
{
	char known[RECORD_VALUE_MAX];
	const bool started = record_get(&setup->record, "start", known);
	const bool enabled = record_get(&setup->record, "enable", known);

	if (!started && !enabled)
		return 0;
	snprintf(text, SETUP_TEXT_MAX, "hawserd is %s%s%s", started ? "stopped" : "",
		 started && enabled ? " and " : "", enabled ? "disabled" : "");
	if (!unrun_service(setup, "start", "stop") && !unrun_service(setup, "enable", "disable"))
		return 0;
	snprintf(text, SETUP_TEXT_MAX, "systemctl cannot stop or disable hawserd");
	return -EINVAL;
}

const struct setup_step setup_service_step = {"service", service_is_done, service_make,
					      service_undo};
