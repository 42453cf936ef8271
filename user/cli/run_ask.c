/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks hawserd to take the connections of a cgroup. */
#include "cli/run_ask.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/control_socket.h"
#include "cli/control_client.h"
#include "cli/die.h"

#ifndef SO_NETNS_COOKIE /* 5.14 */
#define SO_NETNS_COOKIE 71
#endif

static void warn_of_missing_family(struct json_object *answer)
{
	struct json_object *families = NULL;

	json_object_object_get_ex(answer, "families", &families);
	if (!json_object_is_type(families, json_type_array))
		die("run: this hawserd is too old for it");
	if (json_object_array_length(families) == 1)
		fprintf(stderr,
			"hawser: run: hawserd has a transparent listener for %s only; it does not "
			"take connections of the other family\n",
			json_object_get_string(json_object_array_get_idx(families, 0)));
}

/* 0 where the kernel does not tell. */
static int64_t own_netns_cookie(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		cookie = 0;
	close(fd);
	return (int64_t)cookie;
}

void run_ask(const char *control_path, const char *cgroup)
{
	struct json_object *question = json_object_new_object();
	struct connection connection;
	const char *error;
	char line[CONTROL_REQUEST_MAX];

	json_object_object_add(question, "command", json_object_new_string("run"));
	json_object_object_add(question, "cgroup", json_object_new_string(cgroup));
	json_object_object_add(question, "netns", json_object_new_int64(own_netns_cookie()));
	if (snprintf(line, sizeof(line), "%s\n",
		     json_object_to_json_string_ext(question, JSON_C_TO_STRING_PLAIN)) >=
	    (int)sizeof(line))
		die("run: %s: the path is too long", cgroup);
	json_object_put(question);
	connection_open(&connection, control_path);
	error = connection_ask_line(&connection, line);
	if (error)
		die("hawserd on %s: %s", connection.path, error);
	warn_of_missing_family(connection.answer);
	connection_close(&connection);
}
