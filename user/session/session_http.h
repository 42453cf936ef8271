/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain HTTP requests of one client: each is forwarded to its origin, and its response back. Of the
 * session it uses the relay's legs and counters, but not the relay, until a protocol is upgraded.
 */
#ifndef HAWSER_SESSION_SESSION_HTTP_H
#define HAWSER_SESSION_SESSION_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct session;
struct session_http;

/* The opening has read a plain request: forwards it, over the connection to the same origin if
 * there is one that may be used, else dials. */
void session_http_request(struct session *session);

/* The relay's server leg is connected to where the request goes, and has so much of its head. */
void session_http_connected(struct session *session, size_t head_sent);

/* Nothing moved for too long. */
void session_http_timeout(struct session *session);

/* The connection to the server is about to be closed. */
void session_http_unwatch(struct session *session);

/* Bytes of a request's head that are held a second time, as its origin does not take them. */
size_t session_http_held(const struct session *session);

/* Stops and frees; the sockets stay. */
void session_http_free(struct session *session);

#endif
