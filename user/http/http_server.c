/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libmicrohttpd speaks HTTP; who gets a connection, and for how long, is decided here. */
#include "http/http_server.h"

#include <errno.h>
#include <ev.h>
#include <microhttpd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* Of a connection: the head of a request, and of the answer. */
#define MEMORY_BYTES   8192
#define ACCEPT_PAUSE_S 1.
/* Who takes an answer for longer than this is the next to make room. */
#define ANSWER_GRACE_S 2.

struct visitor {
	struct http_server *server;
	struct visitor *next;
	union address address;
	int fd;
	bool waits;	   /* has not sent all of a request */
	bool was_answered; /* once at least */
	bool dismissed;
	double deadline_s;
};

struct http_server {
	struct ev_loop *loop;
	struct MHD_Daemon *daemon;
	http_answer_fn *answer;
	void *context;
	ev_io io;	/* something is to be done for connections */
	ev_timer again; /* the same, though no socket says so */
	ev_timer
		deadline; /* of the first visitor whose time is over; active while there are some */
	ev_io *listeners;
	size_t listener_count;
	ev_timer accept_pause;
	struct visitor *visitors;
	size_t visitor_count;
};

bool http_server_is_built(void)
{
	return true;
}

static void set_deadline(struct visitor *visitor, bool waits, double seconds)
{
	visitor->waits = waits;
	visitor->deadline_s = clock_monotonic_s() + seconds;
}

/* Its end is noticed by the library. */
static void dismiss(struct visitor *visitor)
{
	set_deadline(visitor, false, HTTP_ANSWER_S);
	visitor->dismissed = true;
	(void)shutdown(visitor->fd, SHUT_RDWR);
}

static void watch_deadlines(struct http_server *server)
{
	double first_s = 0;

	for (const struct visitor *visitor = server->visitors; visitor; visitor = visitor->next)
		if (first_s == 0 || visitor->deadline_s < first_s)
			first_s = visitor->deadline_s;
	ev_timer_stop(server->loop, &server->deadline);
	if (!server->visitors)
		return;
	first_s -= clock_monotonic_s();
	ev_timer_set(&server->deadline, first_s > 0 ? first_s : 0., 0.);
	ev_timer_start(server->loop, &server->deadline);
}

/* Has the library do what there is to do now. */
static void run(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	MHD_run(server->daemon);
	ev_timer_stop(server->loop, &server->again);
	if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES) {
		ev_timer_set(&server->again, (double)timeout_ms / 1e3, 0.);
		ev_timer_start(server->loop, &server->again);
	}
	watch_deadlines(server);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	run(io->data);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	run(timer->data);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct http_server *server = timer->data;
	const double now = clock_monotonic_s();

	(void)loop;
	(void)events;
	for (struct visitor *visitor = server->visitors; visitor; visitor = visitor->next)
		if (visitor->deadline_s <= now)
			dismiss(visitor);
	run(server);
}

static struct visitor *visitor_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* Some versions of the library take a connection later than they are given it, so all that there is
 * to know of it is what they know. NULL: it is ended. */
static struct visitor *welcome(struct http_server *server, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const int fd = info ? info->connect_fd : -1;
	struct visitor *visitor = calloc(1, sizeof(*visitor));

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (!visitor || !info || fd < 0) {
		(void)shutdown(fd, SHUT_RDWR);
		free(visitor);
		return NULL;
	}
	visitor->server = server;
	visitor->fd = fd;
	if (info->client_addr->sa_family == AF_INET6)
		memcpy(&visitor->address, info->client_addr, sizeof(visitor->address.in6));
	else
		memcpy(&visitor->address, info->client_addr, sizeof(visitor->address.in4));
	set_deadline(visitor, true, HTTP_REQUEST_S);
	visitor->next = server->visitors;
	server->visitors = visitor;
	server->visitor_count++;
	return visitor;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = context;
	struct visitor *visitor = *socket_context;
	struct visitor **at = &server->visitors;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*socket_context = welcome(server, connection);
		return;
	}
	while (*at && *at != visitor)
		at = &(*at)->next;
	if (*at) {
		*at = visitor->next;
		server->visitor_count--;
		free(visitor);
	}
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
			 enum MHD_RequestTerminationCode code)
{
	struct visitor *visitor = visitor_of(connection);

	(void)context;
	(void)code;
	*request = NULL;
	if (!visitor || visitor->dismissed)
		return;
	visitor->was_answered = true;
	set_deadline(visitor, true, HTTP_IDLE_S);
}

static void add_fields(struct MHD_Response *response, const struct http_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)MHD_add_response_header(response, fields[i].name, fields[i].text);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection,
				   const struct http_answer *answer)
{
	/* What is shown is nobody else's to keep, frame, or take for something else. */
	static const struct http_field always[] = {
		{"Cache-Control", "no-store"},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
	};
	void *body = answer->body ? (void *)answer->body : (void *)answer->text;
	struct MHD_Response *response = MHD_create_response_from_buffer(
		answer->len, body, answer->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response) {
		free(answer->body);
		return MHD_NO;
	}
	add_fields(response, always, sizeof(always) / sizeof(*always));
	add_fields(response, &(struct http_field){"Content-Type", answer->type}, 1);
	add_fields(response, answer->fields, answer->field_count);
	if (answer->last)
		(void)MHD_add_response_header(response, "Connection", "close");
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *body,
				  size_t *body_len, void **request)
{
	static const struct http_field allow = {"Allow", "GET, HEAD"};
	static const char refusal[] = "only GET and HEAD\n";
	struct http_server *server = context;
	struct visitor *visitor = visitor_of(connection);
	const double latest_s = clock_monotonic_s() + HTTP_REQUEST_S;
	const bool is_read = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
	struct http_answer answer = {.status = 405,
				     .type = "text/plain",
				     .text = refusal,
				     .len = sizeof(refusal) - 1,
				     .fields = &allow,
				     .field_count = 1,
				     .last = true};

	(void)version;
	(void)body;
	if (!visitor)
		return MHD_NO;
	if (!*request && is_read) {
		/* An answer before the end of the request would end the connection. */
		*request = visitor;
		if (visitor->deadline_s > latest_s)
			visitor->deadline_s = latest_s;
		return MHD_YES;
	}
	if (is_read && *body_len > 0) {
		*body_len = 0;
		return MHD_YES;
	}
	if (is_read) {
		answer = (struct http_answer){0};
		server->answer(server->context,
			       &(struct http_call){
				       .client = &visitor->address,
				       .fd = visitor->fd,
				       .path = url,
				       .host = header_of(connection, "Host"),
				       .accept = header_of(connection, "Accept"),
				       .accept_encoding = header_of(connection, "Accept-Encoding"),
				       .authorization = header_of(connection, "Authorization"),
				       .fetch_site = header_of(connection, "Sec-Fetch-Site"),
				       .handle = connection},
			       &answer);
	}
	set_deadline(visitor, false, HTTP_ANSWER_S);
	return send_answer(connection, &answer);
}

const char *http_call_argument(const struct http_call *request, const char *name)
{
	return MHD_lookup_connection_value(request->handle, MHD_GET_ARGUMENT_KIND, name);
}

/* Of all, or of one client's, the one that has waited, or been answered, for longest. */
static struct visitor *find_longest(struct http_server *server, const union address *client,
				    bool waits)
{
	struct visitor *longest = NULL;

	for (struct visitor *visitor = server->visitors; visitor; visitor = visitor->next)
		if (!visitor->dismissed && visitor->waits == waits &&
		    (!client || address_same_source(&visitor->address, client)) &&
		    (!longest || visitor->deadline_s < longest->deadline_s))
			longest = visitor;
	return longest;
}

/* Ends one that waits, or else does not take its answer. False: there is none. */
static bool make_room(struct http_server *server, const union address *client)
{
	const double late_s = clock_monotonic_s() + HTTP_ANSWER_S - ANSWER_GRACE_S;
	struct visitor *longest = find_longest(server, client, true);

	if (!longest) {
		longest = find_longest(server, client, false);
		if (longest && longest->deadline_s > late_s)
			longest = NULL;
	}
	if (longest)
		dismiss(longest);
	return longest;
}

static bool has_room(struct http_server *server, const union address *client)
{
	size_t of_client = 0;

	for (const struct visitor *visitor = server->visitors; visitor; visitor = visitor->next)
		of_client += address_same_source(&visitor->address, client);
	if (of_client >= HTTP_CONNECTIONS_OF_ONE)
		return make_room(server, client);
	return server->visitor_count < HTTP_CONNECTIONS_MAX || make_room(server, NULL);
}

static void take(struct http_server *server, int fd, const union address *client)
{
	/* The library closes what it cannot have. */
	if (has_room(server, client))
		(void)MHD_add_connection(server->daemon, fd, &client->sa, address_length(client));
	else
		close(fd);
}

static void stop_accepting(struct http_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		ev_io_stop(server->loop, &server->listeners[i]);
}

static void start_accepting(struct http_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		ev_io_start(server->loop, &server->listeners[i]);
}

static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
	struct http_server *server = io->data;
	union address client = {0};
	socklen_t len = sizeof(client);
	const int fd = accept4(io->fd, &client.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0) {
		take(server, fd, &client);
		run(server);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		/* Out of descriptors or memory: the connection would wake us again at once. */
		stop_accepting(server);
		ev_timer_again(loop, &server->accept_pause);
	}
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	ev_timer_stop(loop, timer);
	start_accepting(timer->data);
}

static struct MHD_Daemon *start_library(struct http_server *server)
{
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET;

#if MHD_VERSION >= 0x01000000
	/* Else it puts what it is given aside for another thread, which there is none of. */
	flags |= MHD_USE_NO_THREAD_SAFETY;
#endif
	return MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, server, MHD_OPTION_CONNECTION_LIMIT,
		/* Those that were dismissed leave a little later. */
		2U * HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
		server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

struct http_server *http_server_open(struct ev_loop *loop, http_answer_fn *answer, void *context)
{
	struct http_server *server = calloc(1, sizeof(*server));
	const union MHD_DaemonInfo *info;
	ev_io *io;
	ev_timer *timers[3];

	if (!server)
		return NULL;
	server->loop = loop;
	server->answer = answer;
	server->context = context;
	server->daemon = start_library(server);
	info = server->daemon ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)
			      : NULL;
	if (!info) {
		if (server->daemon)
			MHD_stop_daemon(server->daemon);
		free(server);
		return NULL;
	}
	timers[0] = &server->again;
	timers[1] = &server->deadline;
	timers[2] = &server->accept_pause;
	ev_timer_init(timers[0], on_again, 0., 0.);
	ev_timer_init(timers[1], on_deadline, 0., 0.);
	ev_timer_init(timers[2], on_pause_over, 0., ACCEPT_PAUSE_S);
	for (size_t i = 0; i < 3; i++)
		timers[i]->data = server;
	io = &server->io;
	ev_io_init(io, on_io, info->epoll_fd, EV_READ);
	io->data = server;
	ev_io_start(loop, io);
	return server;
}

int http_server_listen(struct http_server *server, const int *fds, size_t count)
{
	ev_io *listeners = count ? calloc(count, sizeof(*listeners)) : NULL;

	stop_accepting(server);
	ev_timer_stop(server->loop, &server->accept_pause);
	free(server->listeners);
	server->listeners = listeners;
	server->listener_count = listeners ? count : 0;
	for (size_t i = 0; i < server->listener_count; i++) {
		ev_io *io = &server->listeners[i];

		ev_io_init(io, on_accept, fds[i], EV_READ);
		io->data = server;
	}
	start_accepting(server);
	return listeners || count == 0 ? 0 : -ENOMEM;
}

/* What it may have sent that the library has not read. */
static bool has_sent(const struct visitor *visitor)
{
	char byte;

	return recv(visitor->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool http_server_is_asked(const struct http_server *server)
{
	for (const struct visitor *visitor = server->visitors; visitor; visitor = visitor->next)
		if (!visitor->dismissed &&
		    (!visitor->waits || !visitor->was_answered || has_sent(visitor)))
			return true;
	return false;
}

void http_server_close(struct http_server *server)
{
	if (!server)
		return;
	(void)http_server_listen(server, NULL, 0);
	ev_io_stop(server->loop, &server->io);
	ev_timer_stop(server->loop, &server->again);
	MHD_stop_daemon(server->daemon);
	ev_timer_stop(server->loop, &server->deadline);
	free(server);
}
