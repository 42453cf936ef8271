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

#define CONNECTION_PATH_MAX    (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)
#define CONNECTION_PROBLEM_MAX 160

struct connection {
	const char *path;
	int fd;	    /* -1: nobody is there, or whoever was is not asked any more */
	char *line; /* the last answer, with its newline */
	size_t len;
	size_t size;
	struct json_object *answer;	      /* the same, parsed; NULL: there is none */
	int err;			      /* why nobody is there, EPERM: somebody else is; 0 */
	char problem[CONNECTION_PROBLEM_MAX]; /* why there is no answer */
};

/* path: at most CONNECTION_PATH_MAX bytes; outlives the connection. False, with problem and err,
 * when no hawserd listens there for 0.2 s; control_client_close() is for either case. */
bool control_client_try(struct connection *connection, const char *path);
void control_client_open(struct connection *connection, const char *path);

/* Asks a command; id: 0 where it takes none. NULL, or what the daemon has against the request; or
 * why it does not answer, also to all that is asked later: then answer is NULL. */
const char *control_client_ask(struct connection *connection, const char *command, uint64_t id);
void control_client_ask_or_die(struct connection *connection, const char *command, uint64_t id);

/* The same with a request as JSON, with its newline. */
const char *control_client_ask_line(struct connection *connection, const char *request);
void control_client_ask_line_or_die(struct connection *connection, const char *request);

void control_client_close(struct connection *connection);

#endif
