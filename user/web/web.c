/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "web/web.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/failed_login.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "http/http_server.h"
#include "net/socket.h"
#include "shared/auth_penalty.h"
#include "web/accept.h"
#include "web/exposition.h"
#include "web/page.h"
#include "web/web_access.h"
#include "web/web_question.h"

/* To make answers takes a quarter of this thread's time at most, but for a moment. */
#define SHARE_MAX  0.25
#define DEBT_MAX_S 0.25
/* But a scrape of this age is followed by another, whoever else asks. */
#define SCRAPE_S 1.

struct web {
	struct ev_loop *loop;
	struct web_source source;
	const struct config *config;
	struct http_server *server; /* NULL: off */
	bool draining;
	char own_name[HOST_NAME_MAX + 1];
	double debt_s; /* of time that was taken beyond the share, at debt_at_s */
	double debt_at_s;
	double scraped_at_s; /* last, without regard to the share */
};

static void say(struct http_answer *answer, unsigned int status, const char *text)
{
	answer->status = status;
	answer->type = "text/plain; charset=utf-8";
	answer->text = text;
	answer->len = strlen(text);
}

static void ask_for_token(struct http_answer *answer, const char *text)
{
	/* A scheme that browsers do not know, so that they show no window of their own. */
	static const struct http_field field = {"WWW-Authenticate", "Bearer realm=\"hawserd\""};

	say(answer, 401, text);
	answer->fields = &field;
	answer->field_count = 1;
}

static void note_wrong_token(struct web *web, const struct http_call *request)
{
	bool tell;

	(void)auth_penalty_note(web->source.penalty, request->client, clock_monotonic_s(), &tell);
	if (tell)
		failed_login_tell(request->fd, request->client, "-", "wrong token for metrics");
}

/* Whether the client sees what is not for all; else answer says why not. */
static bool let_in(struct web *web, const struct http_call *request, struct http_answer *answer)
{
	switch (web_access_judge(web->config, web->own_name, request)) {
	case WEB_LET_IN:
		return true;
	case WEB_NO_TOKEN:
		ask_for_token(answer, "no token; expected Authorization: Bearer TOKEN\n");
		return false;
	case WEB_WRONG_TOKEN:
		/* The right one is let in always: others may have the same address. */
		if (!failures_may_guess(web->source.penalty, request->client,
					clock_monotonic_s())) {
			say(answer, 429, "too many wrong tokens\n");
			return false;
		}
		note_wrong_token(web, request);
		ask_for_token(answer, "wrong token\n");
		return false;
	case WEB_CROSS_SITE:
		say(answer, 403, "asked for by a page of another site\n");
		return false;
	case WEB_WRONG_HOST:
		say(answer, 421,
		    "asked for by an unknown name; expected an address, or a name that metrics { "
		    "host } of hawser.conf has\n");
		return false;
	default:
		say(answer, 403,
		    "not allowed from this address; expected one of metrics { allow } of "
		    "hawser.conf\n");
		return false;
	}
}

/* Whether there is time for another answer. Of which pay() then tells what it took. */
static bool has_time(struct web *web)
{
	const double now = clock_monotonic_s();
	const double left = web->debt_s - (now - web->debt_at_s) * SHARE_MAX;

	web->debt_s = left > 0 ? left : 0;
	web->debt_at_s = now;
	return web->debt_s < DEBT_MAX_S;
}

/* One scrape a second: graphs are wanted most while others ask too much. */
static bool may_scrape(struct web *web)
{
	const double now = clock_monotonic_s();

	if (web->scraped_at_s > 0 && now - web->scraped_at_s < SCRAPE_S)
		return false;
	web->scraped_at_s = now;
	return true;
}

static void pay(struct web *web)
{
	web->debt_s += clock_monotonic_s() - web->debt_at_s;
}

static void answer_page(const struct http_call *request, struct http_answer *answer)
{
	static struct http_field fields[] = {{"Content-Security-Policy", NULL},
					     {"Vary", "Accept-Encoding"},
					     {"Content-Encoding", "gzip"}};
	const bool packed = accept_weight(request->accept_encoding, "gzip", true) > 0;

	fields[0].text = page_policy();
	answer->text = packed ? page_packed(&answer->len) : page_text(&answer->len);
	if (!fields[0].text || !answer->text) {
		say(answer, 503, "out of memory\n");
		return;
	}
	answer->status = 200;
	answer->type = "text/html; charset=utf-8";
	answer->fields = fields;
	answer->field_count = packed ? 3 : 2;
}

static void answer_metrics(struct web *web, const struct http_call *request,
			   struct http_answer *answer)
{
	struct exposition out = {.form = exposition_choose(request->accept)};

	web->source.metrics(web->source.context, &out);
	if (!exposition_end(&out)) {
		say(answer, 503, "out of memory\n");
		return;
	}
	answer->status = 200;
	answer->type = exposition_content_type(out.form);
	answer->body = out.text;
	answer->len = out.len;
}

static void answer_question(struct web *web, const struct http_call *request, const char *command,
			    struct http_answer *answer)
{
	const char *problem = NULL;
	struct json_object *question = web_question(request, command, &problem);
	struct json_object *reply;
	const char *text;

	if (problem) {
		say(answer, strcmp(problem, WEB_QUESTION_UNKNOWN) == 0 ? 404 : 400, problem);
		return;
	}
	reply = question ? web->source.answer(web->source.context, command, question) : NULL;
	text = json_object_to_json_string_length(reply, JSON_C_TO_STRING_PLAIN, &answer->len);
	answer->body = reply && text ? strndup(text, answer->len) : NULL;
	json_object_put(reply);
	json_object_put(question);
	if (!answer->body) {
		say(answer, 503, "out of memory\n");
		return;
	}
	answer->status = 200;
	answer->type = "application/json";
}

static void answer_costly(struct web *web, const struct http_call *request,
			  struct http_answer *answer)
{
	static const struct http_field later = {"Retry-After", "1"};
	static const char api[] = "/api/";

	const bool is_scrape = strcmp(request->path, "/metrics") == 0;

	if (!has_time(web) && !(is_scrape && may_scrape(web))) {
		say(answer, 503, "too many questions\n");
		answer->fields = &later;
		answer->field_count = 1;
		return;
	}
	if (is_scrape)
		answer_metrics(web, request, answer);
	else if (strncmp(request->path, api, sizeof(api) - 1) == 0)
		answer_question(web, request, request->path + sizeof(api) - 1, answer);
	else
		say(answer, 404, "not found; expected / or /metrics\n");
	pay(web);
}

static void on_request(void *context, const struct http_call *request, struct http_answer *answer)
{
	struct web *web = context;
	const bool is_page = strcmp(request->path, "/") == 0;

	answer->last = web->draining;
	/* The page tells nothing, and asks for the token. */
	if (!(is_page && web->config->metrics.token) && !let_in(web, request, answer))
		return;
	if (is_page)
		answer_page(request, answer);
	else
		answer_costly(web, request, answer);
}

struct web *web_open(struct ev_loop *loop, const struct web_source *source)
{
	struct web *web = calloc(1, sizeof(*web));

	if (!web)
		return NULL;
	web->loop = loop;
	web->source = *source;
	return web;
}

/* Leaves one of each socket; returns how many. */
static size_t drop_doubles(const int *fds, size_t count, int *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		const uint64_t cookie = socket_cookie(fds[i]);
		size_t same = 0;

		while (same < kept && (!cookie || socket_cookie(out[same]) != cookie))
			same++;
		if (same == kept)
			out[kept++] = fds[i];
	}
	return kept;
}

void web_configure(struct web *web, const struct config *config, const int *fds, size_t count)
{
	int *own = count && fds ? calloc(count, sizeof(*own)) : NULL;
	const size_t kept = own ? drop_doubles(fds, count, own) : 0;

	web->config = config;
	/* The old sockets may be closed soon. */
	if (count && !own) {
		log_error("metrics: nobody is accepted until the next reload: out of memory");
		if (web->server)
			(void)http_server_listen(web->server, NULL, 0);
		return;
	}
	if (gethostname(web->own_name, sizeof(web->own_name) - 1))
		web->own_name[0] = '\0';
	if (kept > 0 && !web->server)
		web->server = http_server_open(web->loop, on_request, web);
	if (kept == 0) {
		http_server_close(web->server);
		web->server = NULL;
	} else if (!web->server || http_server_listen(web->server, own, kept)) {
		log_error("metrics: cannot be served: out of memory or file descriptors");
	}
	free(own);
}

void web_drain(struct web *web)
{
	web->draining = true;
	if (web->server)
		(void)http_server_listen(web->server, NULL, 0);
}

bool web_is_asked(const struct web *web)
{
	return web->server && http_server_is_asked(web->server);
}

void web_close(struct web *web)
{
	if (!web)
		return;
	http_server_close(web->server);
	free(web);
}
