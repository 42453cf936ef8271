/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CLI's side of hawserd's control socket. */
#include "cli/control_client.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json_visit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cli/die.h"

#define ANSWER_TIMEOUT_S 5
#define ASK_AGAIN_MAX	 3
#define DIAL_TRIES	 10
#define DIAL_EACH_MS	 20
#define ANSWER_MIN_BYTES ((size_t)64 << 10) /* of the buffer */
#define ANSWER_MAX_BYTES ((size_t)256 << 20)

__attribute__((noreturn)) static void die_unanswered(const char *path)
{
	die("hawserd on %s does not answer within %d s", path, ANSWER_TIMEOUT_S);
}

static bool dial(struct connection *connection)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", connection->path);
	connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->fd < 0 ||
	    setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		die("socket: %s", strerror(errno));
	return connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* In a directory like /tmp somebody else's socket may stand where ours would. */
static void check_owner(const struct connection *connection)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	if (getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		die("%s: %s", connection->path, strerror(errno));
	if (geteuid() != 0 && peer.uid != 0 && peer.uid != geteuid())
		die("%s: user %u answers there, expected root or user %u", connection->path,
		    (unsigned int)peer.uid, (unsigned int)geteuid());
}

/* One hawserd may just take the place of another. */
static bool dial_for_a_while(struct connection *connection)
{
	const struct timespec pause = {.tv_nsec = DIAL_EACH_MS * 1000000L};

	for (int i = 1; !dial(connection); i++) {
		if (i == DIAL_TRIES || (errno != ENOENT && errno != ECONNREFUSED))
			return false;
		close(connection->fd);
		nanosleep(&pause, NULL);
	}
	return true;
}

bool control_client_try(struct connection *connection, const char *path)
{
	*connection = (struct connection){.path = path, .fd = -1};
	return dial_for_a_while(connection);
}

void control_client_open(struct connection *connection, const char *path)
{
	if (control_client_try(connection, path)) {
		check_owner(connection);
		return;
	}
	if (errno == EAGAIN)
		die_unanswered(path);
	if (errno == EACCES)
		die("%s: %s; only root and the user that hawserd runs as may ask it", path,
		    strerror(errno));
	die("no hawserd answers on %s: %s; is it running? (--control PATH names another socket)",
	    path, strerror(errno));
}

static void control_client_send(const struct connection *connection, const char *request)
{
	const size_t len = strlen(request);

	/* A daemon that closed the connection may have said why: that is for the reader to find. */
	if (send(connection->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len && errno != EPIPE &&
	    errno != ECONNRESET)
		die("%s: %s", connection->path, strerror(errno));
}

static void control_client_grow(struct connection *connection)
{
	connection->size = connection->size ? 2 * connection->size : ANSWER_MIN_BYTES;
	if (connection->size > ANSWER_MAX_BYTES)
		die("%s: the answer is longer than %zu MiB", connection->path,
		    ANSWER_MAX_BYTES >> 20);
	connection->line = realloc(connection->line, connection->size);
	if (!connection->line)
		die("out of memory");
}

/* hawserd sends nothing but one line for each request. False: it has gone before it answered. */
static bool control_client_receive(struct connection *connection)
{
	connection->len = 0;
	while (connection->len == 0 || connection->line[connection->len - 1] != '\n') {
		ssize_t n;

		if (connection->len == connection->size)
			control_client_grow(connection);
		n = recv(connection->fd, connection->line + connection->len,
			 connection->size - connection->len, 0);
		if (n < 0 && errno == EINTR)
			continue; /* a signal that top waits for */
		if (n < 0 && errno == EAGAIN)
			die_unanswered(connection->path);
		if (n < 0 && errno != ECONNRESET)
			die("%s: %s", connection->path, strerror(errno));
		if (n <= 0)
			return false;
		connection->len += (size_t)n;
	}
	return true;
}

/* By another one, if there is one by now. */
static bool control_client_receive_again(struct connection *connection, const char *request)
{
	close(connection->fd);
	if (!dial_for_a_while(connection))
		return false;
	check_owner(connection);
	control_client_send(connection, request);
	return control_client_receive(connection);
}

/* Destinations are what clients of the proxy sent: nothing of it may steer the terminal. */
static int make_printable(struct json_object *value, int flags, struct json_object *parent,
			  const char *key, size_t *index, void *context)
{
	int len = json_object_get_string_len(value);
	char *text;

	(void)flags, (void)parent, (void)key, (void)index, (void)context;
	if (!json_object_is_type(value, json_type_string))
		return JSON_C_VISIT_RETURN_CONTINUE;
	text = strndup(json_object_get_string(value), (size_t)len);
	if (!text)
		die("out of memory");
	for (char *c = text; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	json_object_set_string(value, text);
	free(text);
	return JSON_C_VISIT_RETURN_CONTINUE;
}

static void control_client_parse(struct connection *connection)
{
	struct json_tokener *tokener = json_tokener_new();

	if (!tokener)
		die("out of memory");
	json_object_put(connection->answer);
	connection->answer = json_tokener_parse_ex(tokener, connection->line, (int)connection->len);
	json_tokener_free(tokener);
	if (!json_object_is_type(connection->answer, json_type_object))
		die("%s: the answer is not a JSON object", connection->path);
	json_c_visit(connection->answer, 0, make_printable, NULL);
}

const char *control_client_ask_line(struct connection *connection, const char *request)
{
	struct json_object *error;
	bool answered;

	control_client_send(connection, request);
	answered = control_client_receive(connection);
	/* Also the one that took the place may just give it to a third. */
	for (int i = 0; !answered && i < ASK_AGAIN_MAX; i++)
		answered = control_client_receive_again(connection, request);
	if (!answered)
		die("hawserd on %s closed the connection", connection->path);
	control_client_parse(connection);
	if (json_object_object_get_ex(connection->answer, "error", &error))
		return json_object_get_string(error);
	return NULL;
}

const char *control_client_ask(struct connection *connection, const char *command, uint64_t id)
{
	char line[96];
	char member[32] = "";

	if (id)
		snprintf(member, sizeof(member), ",\"id\":%" PRIu64, id);
	snprintf(line, sizeof(line), "{\"command\":\"%s\"%s}\n", command, member);
	return control_client_ask_line(connection, line);
}

void control_client_ask_or_die(struct connection *connection, const char *command, uint64_t id)
{
	const char *error = control_client_ask(connection, command, id);

	if (error)
		die("hawserd on %s: %s", connection->path, error);
}

void control_client_close(struct connection *connection)
{
	close(connection->fd);
	json_object_put(connection->answer);
	free(connection->line);
}
