/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An HTTP/1.1 server for few clients (libmicrohttpd) on a libev loop: bounded in connections, in
 * memory and in time, so that nobody can shut it for others. Knows no resource. One thread. */
#ifndef HAWSER_HTTP_HTTP_SERVER_H
#define HAWSER_HTTP_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

/* At once, and of one address (an IPv6 /64). Who has not sent all of a request, and else who has
 * not taken its answer for two seconds, makes room for another. */
#define HTTP_CONNECTIONS_MAX	48
#define HTTP_CONNECTIONS_OF_ONE 12

/* How long the first request may take, how long a connection may be idle between two, and how long
 * a client may take for an answer. Seconds. */
#define HTTP_REQUEST_S 5.
#define HTTP_IDLE_S    75.
#define HTTP_ANSWER_S  30.

struct ev_loop;
struct http_server;

/* A GET or HEAD; others are refused. All is valid during the call only. */
struct http_call {
	const union address *client;
	int fd;		  /* of the connection, to be asked for its local address */
	const char *path; /* decoded, without the query */
	const char *host; /* header fields; NULL: not sent */
	const char *accept;
	const char *accept_encoding;
	const char *authorization;
	const char *fetch_site;
	void *handle;
};

struct http_field {
	const char *name;
	const char *text;
};

struct http_answer {
	unsigned int status;
	const char *type; /* Content-Type */
	char *body;	  /* malloc'ed, given away; NULL: see text */
	const char *text; /* lasts as long as the program */
	size_t len;
	const struct http_field *fields; /* beside those that all answers have; lasts the call */
	size_t field_count;
	bool last; /* the connection is closed after it */
};

typedef void http_answer_fn(void *context, const struct http_call *request,
			    struct http_answer *answer);

/* Whether this build has one (make HTTP=0). */
bool http_server_is_built(void);

/* NULL when out of memory, or not built. */
struct http_server *http_server_open(struct ev_loop *loop, http_answer_fn *answer, void *context);

/* Ends all connections. NULL is allowed. */
void http_server_close(struct http_server *server);

/* From now on takes connections from these listening sockets, which stay the caller's, and from no
 * others; connections that there are go on. 0 or -ENOMEM: then from none. */
int http_server_listen(struct http_server *server, const int *fds, size_t count);

/* Whether somebody is being answered, has asked, or has connected to ask for the first time. */
bool http_server_is_asked(const struct http_server *server);

/* An argument of the query, decoded; NULL: not there. */
const char *http_call_argument(const struct http_call *request, const char *name);

#endif
