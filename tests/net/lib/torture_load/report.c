/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the load says: each failure with all that is known of it, and what it has done in the end.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "load.h"

struct totals totals;

void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("torture: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(2);
}

static void print_end(const struct end *end)
{
	const struct script *script = &end->session->plan.scripts[end->side];

	fprintf(stderr,
		"  %s: %s, step %zu of %zu, sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64
		", reads %u every %u "
		"us, "
		"buffer %d;%s%s%s%s%s%s\n",
		end->side == SIDE_CLIENT ? "client" : "server",
		(end->side == SIDE_CLIENT ? end->session->plan.client_mptcp
					  : end->session->plan.server_mptcp)
			? "mptcp"
			: "tcp",
		end->step, script->count, end->sent, script->total, end->received, script->read_max,
		script->read_pause_us, script->small_buffer, end->over ? " over" : "",
		end->shut ? " shut" : "", end->eof ? " eof" : "", end->reset_seen ? " reset" : "",
		end->blocked ? " blocked" : "", end->connecting ? " connecting" : "");
}

void session_fail(struct session *session, const char *format, ...)
{
	va_list arguments;

	totals.failures++;
	va_start(arguments, format);
	fprintf(stderr,
		"after %.3f s: ", (double)(now_ns() - settings.started_ns) / (double)NS_PER_S);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	if (!session)
		return;
	session->failed = true;
	fprintf(stderr, "  --seed %" PRIu64 " --only %" PRIu64 ", server's port %u, %s%s%s\n",
		settings.seed, session->plan.number,
		session->greeting[greeting_bytes() - 2] << 8 |
			session->greeting[greeting_bytes() - 1],
		plan_kind_name(session->plan.kind), session->plan.eager ? ", eager" : "",
		session->reset_made ? ", after the reset" : "");
	print_end(&session->ends[SIDE_CLIENT]);
	print_end(&session->ends[SIDE_SERVER]);
}

void print_totals(void)
{
	double seconds = (double)(now_ns() - settings.started_ns) / (double)NS_PER_S;

	printf("{\"seconds\": %.3f, \"failures\": %" PRIu64 ", \"sessions\": {", seconds,
	       totals.failures);
	for (int kind = 0; kind < PLAN_KIND_COUNT; kind++)
		printf("%s\"%s\": %" PRIu64 "", kind ? ", " : "",
		       plan_kind_name((enum plan_kind)kind), totals.kinds[kind]);
	printf("}, \"pairs\": {");
	for (int pair = 0; pair < 4; pair++)
		printf("%s\"%s-%s\": %" PRIu64 "", pair ? ", " : "", pair / 2 ? "mptcp" : "tcp",
		       pair % 2 ? "mptcp" : "tcp", totals.pairs[pair / 2][pair % 2]);
	printf("}, \"bytes\": {\"up\": %" PRIu64 ", \"down\": %" PRIu64 "}, \"exchanges\": %" PRIu64
	       ", "
	       "\"resets\": {\"made\": %" PRIu64 ", \"seen\": %" PRIu64 "}}\n",
	       totals.received[SIDE_SERVER], totals.received[SIDE_CLIENT], totals.exchanges,
	       totals.resets_made, totals.resets_seen);
}
