/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser intercept`: hawserd's settings and the command line, for intercept.c. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/ifname.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/die.h"
#include "config/intercept_method.h"
#include "intercept/intercept.h"

/* NULL for NULL. */
static struct json_object *parse_lan(const char *command, const char *list)
{
	struct json_object *lan = list ? json_object_new_array() : NULL;
	char *copy = list ? strdup(list) : NULL;
	char *rest = copy;
	const char *name;

	if (list && (!lan || !copy))
		die("out of memory");
	while ((name = strsep(&rest, ","))) {
		if (!ifname_is_legal(name))
			die_usage(command,
				  "--lan: \"%s\" is not the name of a network interface; "
				  "expected " IFNAME_LEGAL,
				  name);
		json_object_array_add(lan, json_object_new_string(name));
	}
	free(copy);
	return lan;
}

static int up(const struct arguments *arguments)
{
	struct json_object *lan = parse_lan(arguments->command, arguments->option[CLI_LAN]);
	const char *method = arguments->option[CLI_METHOD];
	struct connection connection;
	int code;

	if (method && intercept_method_find(method) < 0)
		die_usage(arguments->command, "--method %s: expected tproxy, redirect or bpf",
			  method);
	control_client_open(&connection, arguments->control);
	control_client_ask_or_die(&connection, "intercept", 0);
	code = intercept_up(connection.answer, lan, method);
	control_client_close(&connection);
	json_object_put(lan);
	return code;
}

/* hawserd may be dead, or hang; the rules are in the kernel. */
static int show(const struct arguments *arguments)
{
	struct connection connection;
	const char *problem = connection.problem;
	int code;

	if (control_client_try(&connection, arguments->control))
		problem = control_client_ask(&connection, "intercept", 0);
	code = intercept_show(problem ? NULL : connection.answer, problem,
			      arguments->option[CLI_JSON] != NULL);
	control_client_close(&connection);
	return code;
}

int intercept_main(const struct command *command, int argc, char **argv)
{
	static const struct usage usage = {.options = CLI_TAKES(CLI_CONTROL) | CLI_TAKES(CLI_LAN) |
						      CLI_TAKES(CLI_METHOD) | CLI_TAKES(CLI_JSON),
					   .words = "up|down|show",
					   .words_max = 1};
	struct arguments arguments;
	const char *action;

	arguments_parse(&arguments, command, argc, argv, &usage);
	action = arguments.words[0] ? arguments.words[0] : "";
	if ((arguments.option[CLI_LAN] || arguments.option[CLI_METHOD]) &&
	    strcmp(action, "up") != 0)
		die_usage(command->name, "--lan and --method are for 'intercept up'");
	if (strcmp(action, "up") == 0)
		return up(&arguments);
	if (strcmp(action, "down") == 0)
		return intercept_down();
	if (strcmp(action, "show") == 0)
		return show(&arguments);
	die_usage(command->name, "%s: expected up, down or show", *action ? action : "no action");
}
