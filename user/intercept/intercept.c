/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hawser intercept`, for people. */
#include "intercept/intercept.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "intercept/apply.h"
#include "intercept/obstacle.h"
#include "intercept/wanted.h"

__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("hawser: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	return EXIT_FAILURE;
}

static int complain_of(const struct intercept_fault *fault)
{
	complain("%s", fault->seen);
	if (*fault->mend)
		fprintf(stderr, "  fix: %s\n", fault->mend);
	return EXIT_FAILURE;
}

static void warn(const struct intercept_plan *plan)
{
	for (int i = 0; i < INTERCEPT_FAMILIES; i++)
		if (!intercept_plan_has(plan, i))
			complain("%s is routed as before: hawserd has no transparent listener for "
				 "it",
				 intercept_family_names[i]);
	for (size_t i = 0; i < json_length(plan->lan); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(plan->lan, i));

		if (if_nametoindex(name) == 0)
			complain("there is no interface \"%s\" yet; its connections are taken as "
				 "soon as it appears",
				 name);
	}
}

/* What hawserd keeps in force from now on. */
static void leave_wish(const struct intercept_wanted *wanted, struct json_object *settings,
		       struct json_object *lan, const char *method)
{
	int err = wanted->fd < 0 ? wanted->fd
				 : intercept_wanted_write(wanted, json_text(settings, "control"),
							  lan, method, false);

	if (!err)
		return;
	complain("%s: %s: hawserd will not put back what others delete", wanted->path,
		 strerror(-err));
	intercept_wanted_remove_empty(wanted);
}

int intercept_up(struct json_object *settings, struct json_object *lan, const char *method)
{
	struct intercept_fault fault = {0};
	struct intercept_wanted wanted;
	struct intercept_plan plan;
	bool done;

	if (!intercept_plan_make(&plan, settings, lan, method, &fault) ||
	    intercept_lan_is_wan(&plan, settings, &fault))
		return complain_of(&fault);
	(void)intercept_wanted_open(&wanted, RUN_FILE_MAKE);
	done = !intercept_is_obstructed(&plan, &fault) && intercept_apply(&plan, &fault);
	if (done)
		leave_wish(&wanted, settings, lan, method);
	else
		intercept_wanted_remove_empty(&wanted);
	intercept_wanted_close(&wanted);
	if (!done)
		return complain_of(&fault);
	if (*fault.seen)
		complain("%s", fault.seen);
	warn(&plan);
	return EXIT_SUCCESS;
}

int intercept_down(void)
{
	struct intercept_fault fault = {0};
	struct intercept_wanted wanted;
	const bool is_wanted = intercept_wanted_open(&wanted, RUN_FILE_FIND) == 0;
	const bool done = intercept_withdraw(&fault);

	/* hawserd ends what was taken when the file is gone: nothing more is taken by then. */
	if (is_wanted)
		intercept_wanted_remove(&wanted);
	intercept_wanted_close(&wanted);
	return done ? EXIT_SUCCESS : complain_of(&fault);
}

static void print_label(const char *label)
{
	printf("%-12s  ", label);
}

static void print_list(struct json_object *list)
{
	for (size_t i = 0; i < json_length(list); i++)
		printf("%s%s", i ? ", " : "",
		       json_object_get_string(json_object_array_get_idx(list, i)));
	putchar('\n');
}

static void print_bypass(struct json_object *bypass)
{
	if (!bypass)
		return;
	json_object_object_foreach(bypass, kind, list)
	{
		if (json_length(list) == 0)
			continue;
		print_label("bypass");
		printf("%s ", kind);
		print_list(list);
	}
}

static void print_auto_bypass(struct json_object *list)
{
	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *row = json_object_array_get_idx(list, i);

		print_label(i ? "" : "auto-bypass");
		printf("%s for another %" PRIu64 " s\n", json_text(row, "destination"),
		       json_object_get_uint64(json_member(row, "expires_s")));
	}
}

/* What only hawserd can tell. */
static void print_names(struct json_object *hawserd)
{
	struct json_object *domains = json_member(json_member(hawserd, "bypass"), "domain");

	if (json_length(domains) == 0)
		return;
	print_label("bypass");
	printf("domain ");
	print_list(domains);
	print_label("by name");
	printf("%" PRIu64 " of the %" PRIu64 " that hawserd took use plain TCP\n",
	       json_object_get_uint64(json_member(hawserd, "bypassed_by_name")),
	       json_object_get_uint64(json_member(hawserd, "sessions")));
}

static void print_counters(struct json_object *counters)
{
	static const struct {
		const char *name;
		const char *meaning;
	} rows[] = {
		{"caught", "sent to hawserd"},
		{"held", "first packets held until the dial stood, or failed"},
		{"bypassed", "routed, by bypass-destination, -source, -port or -mac"},
		{"auto_bypassed", "routed, by auto-bypass: the destination does not speak MPTCP"},
		{"local",
		 "routed, since they are to or from this router, or lead back into the LAN"},
		{"unroutable", "routed, since there is no route for the router to say so"},
		{"mptcp", "routed, since redirect cannot take clients that speak MPTCP"},
		{"missed", "routed, since hawserd did not listen"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_object *counter = json_member(counters, rows[i].name);

		if (!counter)
			continue;
		print_label(i ? "" : "connections");
		printf("%" PRIu64 " %s\n", json_object_get_uint64(counter), rows[i].meaning);
	}
}

static void print_state(struct json_object *state, const char *silence)
{
	struct json_object *hawserd = json_member(state, "hawserd");
	struct json_object *kept = json_member(hawserd, "kept");

	print_label("interception");
	if (*json_text(kept, "fault")) {
		printf("broken: %s%s\n", json_text(kept, "fault"),
		       json_object_get_boolean(json_member(kept, "routed")) ? "; the LAN is routed"
									    : "");
	} else if (json_object_get_boolean(json_member(state, "up"))) {
		printf("up, %s, from ", json_text(state, "method"));
		print_list(json_member(state, "lan"));
	} else {
		puts("down");
	}
	if (*json_text(kept, "mend")) {
		print_label("fix");
		puts(json_text(kept, "mend"));
	}
	if (json_count(kept, "put_back") > 0) {
		print_label("put back");
		printf("%" PRIu64 " times; last: %s\n", json_count(kept, "put_back"),
		       json_text(kept, "last"));
	}
	print_label("hawserd");
	if (json_length(json_member(hawserd, "listeners")) > 0) {
		printf("listens on ");
		print_list(json_member(hawserd, "listeners"));
	} else if (hawserd) {
		puts("has no transparent listener");
	} else {
		printf("does not answer: %s\n", silence);
	}
	print_bypass(json_member(state, "bypass"));
	print_counters(json_member(state, "counters"));
	print_names(hawserd);
	print_auto_bypass(json_member(state, "auto_bypass"));
}

int intercept_show(struct json_object *settings, const char *silence, bool json)
{
	struct intercept_fault fault = {0};
	struct json_object *state = intercept_in_force(&fault);

	if (!state)
		return complain_of(&fault);
	json_object_object_add(state, "hawserd", json_object_get(settings));
	if (json)
		puts(json_object_to_json_string_ext(state, JSON_C_TO_STRING_PLAIN));
	else
		print_state(state, silence);
	json_object_put(state);
	return EXIT_SUCCESS;
}
