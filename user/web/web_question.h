/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the query of a URL to a request as the control socket has it: only what reads, and no more
 * than a page shows. */
#ifndef HAWSER_WEB_WEB_QUESTION_H
#define HAWSER_WEB_WEB_QUESTION_H

struct http_call;
struct json_object;

#define WEB_QUESTION_UNKNOWN "not found; hawserd(8) lists what there is below /api/\n"

/* Sessions of one answer, at most; a fifth of it where nobody says how many. */
#define WEB_SESSIONS_MAX 1000

/* The caller's; NULL when out of memory, or with *problem set: WEB_QUESTION_UNKNOWN, or what is
 * wrong with an argument. */
struct json_object *web_question(const struct http_call *request, const char *command,
				 const char **problem);

#endif
