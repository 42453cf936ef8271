/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CLI's side of hawserd's control socket. */
#include "cli/control_client.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json_visit.h>
#include <stdarg.h>
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

/* Whom nobody has heard in time may answer the next question with this one's answer: no more is
 * asked. Returns false. */
__attribute__((format(printf, 2, 3))) static bool give_up(struct connection *connection,
							  const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(connection->problem, sizeof(connection->problem), format, arguments);
	va_end(arguments);
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
	json_object_put(connection->answer);
	connection->answer = NULL;
	return false;
}

static bool give_up_waiting(struct connection *connection)
{
	return give_up(connection, "it does not answer within %d s", ANSWER_TIMEOUT_S);
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
static bool is_its(struct connection *connection)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	if (getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return give_up(connection, "%s", strerror(errno));
	if (geteuid() == 0 || peer.uid == 0 || peer.uid == geteuid())
		return true;
	connection->err = EPERM;
	return give_up(connection, "user %u answers there, expected root or user %u",
		       (unsigned int)peer.uid, (unsigned int)geteuid());
}

/* One hawserd may just take the place of another. */
static bool dial_for_a_while(struct connection *connection)
{
	const struct timespec pause = {.tv_nsec = DIAL_EACH_MS * 1000000L};

	for (int i = 1; !dial(connection); i++) {
		if (errno == EAGAIN) /* its queue is full */
			return give_up_waiting(connection);
		if (i == DIAL_TRIES || (errno != ENOENT && errno != ECONNREFUSED)) {
			connection->err = errno;
			return give_up(connection, "%s%s", strerror(connection->err),
				       connection->err == EACCES
					       ? "; only root and the user that hawserd runs as "
						 "may ask it"
					       : "");
		}
		close(connection->fd);
		nanosleep(&pause, NULL);
	}
	return is_its(connection);
}

bool control_client_try(struct connection *connection, const char *path)
{
	*connection = (struct connection){.path = path, .fd = -1};
	return dial_for_a_while(connection);
}

void control_client_open(struct connection *connection, const char *path)
{
	if (control_client_try(connection, path))
		return;
	if (connection->err == 0 || connection->err == EACCES || connection->err == EPERM)
		die("hawserd on %s: %s", path, connection->problem);
	die("no hawserd answers on %s: %s; is it running? (--control PATH names another socket)",
	    path, connection->problem);
}

/* False: it has gone. */
static bool control_client_send(struct connection *connection, const char *request)
{
	const size_t len = strlen(request);

	/* A daemon that closed the connection may have said why: that is for the reader to find. */
	if (send(connection->fd, request, len, MSG_NOSIGNAL) == (ssize_t)len || errno == EPIPE ||
	    errno == ECONNRESET)
		return true;
	if (errno == EAGAIN)
		return give_up_waiting(connection);
	return give_up(connection, "%s", strerror(errno));
}

static bool control_client_grow(struct connection *connection)
{
	connection->size = connection->size ? 2 * connection->size : ANSWER_MIN_BYTES;
	if (connection->size > ANSWER_MAX_BYTES)
		return give_up(connection, "the answer is longer than %zu MiB",
			       ANSWER_MAX_BYTES >> 20);
	connection->line = realloc(connection->line, connection->size);
	if (!connection->line)
		die("out of memory");
	return true;
}

/* hawserd sends nothing but one line for each request. False: it has gone before it answered, or it
 * is given up. */
static bool control_client_receive(struct connection *connection)
{
	connection->len = 0;
	while (connection->len == 0 || connection->line[connection->len - 1] != '\n') {
		ssize_t n;

		if (connection->len == connection->size && !control_client_grow(connection))
			return false;
		n = recv(connection->fd, connection->line + connection->len,
			 connection->size - connection->len, 0);
		if (n < 0 && errno == EINTR)
			continue; /* a signal that top waits for */
		if (n < 0 && errno == EAGAIN)
			return give_up_waiting(connection);
		if (n < 0 && errno != ECONNRESET)
			return give_up(connection, "%s", strerror(errno));
		if (n <= 0)
			return false;
		connection->len += (size_t)n;
	}
	return true;
}

/* By another one, if there is one by now. */
static bool control_client_dial_again(struct connection *connection)
{
	close(connection->fd);
	return dial_for_a_while(connection);
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

static bool control_client_parse(struct connection *connection)
{
	struct json_tokener *tokener = json_tokener_new();

	if (!tokener)
		die("out of memory");
	json_object_put(connection->answer);
	connection->answer = json_tokener_parse_ex(tokener, connection->line, (int)connection->len);
	json_tokener_free(tokener);
	if (!json_object_is_type(connection->answer, json_type_object))
		return give_up(connection, "the answer is not a JSON object");
	json_c_visit(connection->answer, 0, make_printable, NULL);
	return true;
}

/* Also the one that took the place may just give it to a third. */
static bool control_client_exchange(struct connection *connection, const char *request)
{
	for (int i = 0; i <= ASK_AGAIN_MAX; i++) {
		if ((i > 0 && !control_client_dial_again(connection)) ||
		    !control_client_send(connection, request))
			return false;
		if (control_client_receive(connection))
			return control_client_parse(connection);
		if (connection->fd < 0)
			return false;
	}
	return give_up(connection, "it closed the connection");
}

const char *control_client_ask_line(struct connection *connection, const char *request)
{
	struct json_object *error;

	if (connection->fd < 0 || !control_client_exchange(connection, request))
		return connection->problem;
	if (json_object_object_get_ex(connection->answer, "error", &error))
		return json_object_get_string(error);
	return NULL;
}

static void die_of(const struct connection *connection, const char *error)
{
	if (error)
		die("hawserd on %s: %s", connection->path, error);
}

void control_client_ask_line_or_die(struct connection *connection, const char *request)
{
	die_of(connection, control_client_ask_line(connection, request));
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
	die_of(connection, control_client_ask(connection, command, id));
}

void control_client_close(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	json_object_put(connection->answer);
	free(connection->line);
}
