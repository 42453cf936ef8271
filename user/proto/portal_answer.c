/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a captive portal has answered. */
#include "proto/portal_answer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/http_head.h"

static const char http[] = "http://";
static const char https[] = "https://";

static struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* "HOST[:PORT]" of a URL, and what is behind it. */
static struct span authority_of(struct span url, struct span *path)
{
	struct span rest = url;

	if (span_starts_nocase(url, https))
		rest = span_skip(url, strlen(https));
	else if (span_starts_nocase(url, http))
		rest = span_skip(url, strlen(http));
	*path = rest;
	while (path->len > 0 && !strchr("/?#", path->at[0]))
		*path = span_skip(*path, 1);
	rest.len -= path->len;
	return rest;
}

/* Without the port, and without the last dot of a name. */
static struct span host_of(struct span url)
{
	struct span path;
	struct span host = authority_of(url, &path);
	size_t len = host.len;

	while (len > 0 && isdigit((unsigned char)host.at[len - 1]))
		len--;
	if (len > 0 && host.at[len - 1] == ':')
		host.len = len - 1;
	if (host.len > 0 && host.at[host.len - 1] == '.')
		host.len--;
	return host;
}

/* As HTTP/1.0, so that the body comes in one piece. Some portals answer browsers alone. */
size_t portal_request_write(char out[PORTAL_REQUEST_MAX], const struct portal_question *question)
{
	struct span path;
	const struct span host = authority_of(span_of(question->url), &path);

	return (size_t)snprintf(out, PORTAL_REQUEST_MAX,
				"GET %s%.*s HTTP/1.0\r\nHost: %.*s\r\n"
				"User-Agent: Mozilla/5.0 (compatible; hawserd)\r\n"
				"Cache-Control: no-cache\r\nConnection: close\r\n\r\n",
				path.len > 0 && path.at[0] == '/' ? "" : "/",
				(int)strcspn(path.at, "#"), path.at, (int)host.len, host.at);
}

/* RFC 3986 section 2. What is shown must not be anything else to a terminal or a page. */
static bool is_url_text(const char *text)
{
	while (isalnum((unsigned char)*text) || (*text && strchr("-._~:/?#[]@!$&'()*+,;=%", *text)))
		text++;
	return *text == '\0';
}

/* A reference to somewhere (RFC 3986 section 4.2), as far as portals use them. */
static void resolve(const char *base, struct span to, char out[PORTAL_LOCATION_MAX])
{
	struct span path;
	const struct span host = authority_of(span_of(base), &path);
	int len;

	if (span_starts_nocase(to, http) || span_starts_nocase(to, https))
		len = snprintf(out, PORTAL_LOCATION_MAX, "%.*s", (int)to.len, to.at);
	else if (span_starts_nocase(to, "//"))
		len = snprintf(out, PORTAL_LOCATION_MAX, "http:%.*s", (int)to.len, to.at);
	else if (to.len == 0 || memchr(to.at, ':', to.len))
		len = 0; /* of another scheme */
	else
		len = snprintf(out, PORTAL_LOCATION_MAX, "http://%.*s%s%.*s", (int)host.len,
			       host.at, to.at[0] == '/' ? "" : "/", (int)to.len, to.at);
	if (len <= 0 || len >= PORTAL_LOCATION_MAX || !is_url_text(out))
		out[0] = '\0';
}

static bool same_host(struct span a, struct span b)
{
	a = host_of(a);
	b = host_of(b);
	return a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

/* Of a body that has begun to come; more may. */
static enum portal_word judge_body(const char *expected, struct span body, bool end)
{
	const size_t len = expected ? strlen(expected) : 0;

	if (!expected && body.len > 0)
		return PORTAL_CLOSED;
	if (!expected)
		return end ? PORTAL_OPEN : PORTAL_MORE;
	if (memcmp(body.at, expected, body.len < len ? body.len : len) != 0)
		return PORTAL_CLOSED;
	if (body.len < len)
		return end ? PORTAL_CLOSED : PORTAL_MORE;
	return PORTAL_OPEN;
}

static enum portal_word judge(const struct portal_question *question, unsigned int status,
			      struct span body, bool end, const char *location)
{
	if (status == 511)
		return PORTAL_CLOSED;
	if (status < 200 || status >= 400)
		return PORTAL_NOTHING;
	if (question->nobody)
		return PORTAL_CLOSED;
	if (status >= 300)
		return *location && same_host(span_of(location), span_of(question->url))
			       ? PORTAL_NOTHING
			       : PORTAL_CLOSED;
	if (status == 204)
		return question->answer ? PORTAL_CLOSED : PORTAL_OPEN;
	return judge_body(question->answer, body, end);
}

/* Whether what is missing of the answer would not change its meaning. */
static bool tells_enough(const struct portal_question *question, unsigned int status, bool leads)
{
	return question->nobody || status == 511 || (status >= 300 && leads);
}

static bool read_status(struct span line, unsigned int *status)
{
	struct span version;
	uint64_t number;

	if (!span_cut(&line, ' ', &version) || http_minor_version(version) < 0)
		return false;
	line = span_trim(line);
	line.len = line.len < 3 ? line.len : 3;
	if (!span_to_number(line, &number))
		return false;
	*status = (unsigned int)number;
	return true;
}

enum portal_word portal_answer_read(const struct portal_question *question, const uint8_t *in,
				    size_t len, bool end, char location[PORTAL_LOCATION_MAX])
{
	struct http_scan scan = {0};
	struct span rest = {(const char *)in, len};
	struct span line;
	struct span to;
	unsigned int status;
	bool leads;
	const enum parse head = http_scan_head(&scan, in, len);

	location[0] = '\0';
	if (head == PARSE_MORE && !end)
		return PORTAL_MORE;
	/* Of a head that is cut, its whole lines. */
	rest.len = head == PARSE_MORE ? scan.line : scan.at;
	if (head == PARSE_BAD || !http_next_line(&rest, &line) || !read_status(line, &status))
		return PORTAL_NOTHING;
	leads = http_next_field(&rest, "location", &to);
	if (leads)
		resolve(question->url, to, location);
	if (head == PARSE_MORE && !tells_enough(question, status, leads))
		return PORTAL_NOTHING;
	return judge(question, status, (struct span){(const char *)in + scan.at, len - scan.at},
		     end, location);
}
