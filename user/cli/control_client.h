/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CLI's side of hawserd's control socket. What goes wrong ends the program, unless it is said
 * otherwise. */
#ifndef HAWSER_CLI_CONTROL_CLIENT_H
#define HAWSER_CLI_CONTROL_CLIENT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define CONNECTION_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

struct connection {
	const char *path;
	int fd;
	char *line; /* the last answer, with its newline */
	size_t len;
	size_t size;
	struct json_object *answer; /* the same, parsed */
};

/* path: at most CONNECTION_PATH_MAX bytes; outlives the connection. False, with errno, when nobody
 * listens there for 0.2 s; control_client_close() is for either case. */
bool control_client_try(struct connection *connection, const char *path);
void control_client_open(struct connection *connection, const char *path);

/* Asks a command; id: 0 where it takes none. NULL, or what the daemon has against the request. */
const char *control_client_ask(struct connection *connection, const char *command, uint64_t id);
void control_client_ask_or_die(struct connection *connection, const char *command, uint64_t id);

/* The same with a request as JSON, with its newline. */
const char *control_client_ask_line(struct connection *connection, const char *request);

void control_client_close(struct connection *connection);

#endif
