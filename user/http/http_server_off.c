/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No HTTP server: takes the place of http_server.c in a build without libmicrohttpd. */
#include "http/http_server.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

bool http_server_is_built(void)
{
	return false;
}

struct http_server *http_server_open(struct ev_loop *loop, http_answer_fn *answer, void *context)
{
	return NULL;
}

void http_server_close(struct http_server *server)
{
}

int http_server_listen(struct http_server *server, const int *fds, size_t count)
{
	return 0;
}

bool http_server_is_asked(const struct http_server *server)
{
	return false;
}

const char *http_call_argument(const struct http_call *request, const char *name)
{
	return NULL;
}
