// SPDX-License-Identifier: GPL-2.0-or-later
/* `hawser intercept`: the rules that send a LAN's connections to hawserd, put into force and taken
 * back. All that is to be remembered is in the kernel. */
#include "intercept/intercept.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "intercept/nft.h"
#include "intercept/nft_rules.h"
#include "intercept/nft_state.h"
#include "intercept/steer.h"
#include "intercept/tproxy_route.h"

static const int families[INTERCEPT_FAMILIES] = {
	[INTERCEPT_IPV4] = AF_INET, [INTERCEPT_IPV6] = AF_INET6};
static const char *const family_names[INTERCEPT_FAMILIES] = {"IPv4", "IPv6"};

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

static struct nft *open_ruleset(void)
{
	struct nft *ruleset = nft_open();

	if (!ruleset)
		complain("nftables: %s", strerror(ENOMEM));
	return ruleset;
}

/* As nft_list_table(). */
static int list_table(struct nft *ruleset, const char **text)
{
	return nft_list_table(ruleset, INTERCEPT_TABLE_NAME, text);
}

/* Of the families of mask's bits. Returns an exit code. */
static int remove_routes(unsigned int mask)
{
	for (int i = 0; i < INTERCEPT_FAMILIES; i++) {
		int err = mask & 1U << i ? tproxy_route_remove(families[i]) : 0;

		if (err)
			return complain("ip rule and route of table %d, %s: %s", STEER_TABLE,
					family_names[i], strerror(-err));
	}
	return EXIT_SUCCESS;
}

#define ALL_FAMILIES ((1U << INTERCEPT_FAMILIES) - 1)

static unsigned int families_of(const struct intercept_plan *plan)
{
	unsigned int mask = 0;

	for (int i = 0; i < INTERCEPT_FAMILIES; i++)
		if (plan->listener[i].sa.sa_family != AF_UNSPEC)
			mask |= 1U << i;
	return mask;
}

static int load_rules(struct nft *ruleset, const struct intercept_plan *plan)
{
	char *text = nft_rules_text(plan);
	int code = EXIT_SUCCESS;

	if (!text)
		return complain("nftables: %s", strerror(ENOMEM));
	if (nft_run(ruleset, text))
		code = complain("nftables: %s", nft_error(ruleset));
	free(text);
	return code;
}

static int load_program(struct nft *ruleset, const struct intercept_plan *plan)
{
	char reason[128] = "";
	int err = steer_up(plan, reason, sizeof(reason));

	(void)ruleset;
	if (reason[0])
		complain("bpf: %s", reason);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The way for marked packets is there before the first is marked. */
static int marked_up(struct nft *ruleset, const struct intercept_plan *plan,
		     int (*load)(struct nft *ruleset, const struct intercept_plan *plan))
{
	const char *before;
	const bool was_up = list_table(ruleset, &before) == 0 || steer_is_up();
	int code;

	for (int i = 0; i < INTERCEPT_FAMILIES; i++) {
		int err = families_of(plan) & 1U << i ? tproxy_route_add(families[i]) : 0;

		if (err)
			return complain("ip rule and route of table %d, %s: %s", STEER_TABLE,
					family_names[i], strerror(-err));
	}
	code = load(ruleset, plan);
	if (!code)
		return remove_routes(ALL_FAMILIES & ~families_of(plan));
	/* Rules that are in force from before are as they were, and want their routes. */
	if (!was_up)
		remove_routes(ALL_FAMILIES);
	return code;
}

static int remove_table(struct nft *ruleset)
{
	/* To delete what may not be there, it is added first. */
	if (nft_run(ruleset, "add table " INTERCEPT_TABLE "\ndelete table " INTERCEPT_TABLE "\n"))
		return complain("nftables: %s", nft_error(ruleset));
	return EXIT_SUCCESS;
}

static int remove_program(void)
{
	int err = steer_down();

	return err ? complain("bpf: cannot remove the program: %s", strerror(-err)) : EXIT_SUCCESS;
}

static int tproxy_up(struct nft *ruleset, const struct intercept_plan *plan)
{
	int code = marked_up(ruleset, plan, load_rules);

	if (!code && nft_run(ruleset, INTERCEPT_READY))
		code = complain("nftables: %s", nft_error(ruleset));
	return code ? code : remove_program();
}

static int bpf_up(struct nft *ruleset, const struct intercept_plan *plan)
{
	const char *before;
	int code = marked_up(ruleset, plan, load_program);

	/* Where there is no nftables, there is no table either. */
	return code || list_table(ruleset, &before) ? code : remove_table(ruleset);
}

static int redirect_up(struct nft *ruleset, const struct intercept_plan *plan)
{
	int code = load_rules(ruleset, plan);

	if (!code)
		code = remove_program();
	return code ? code : remove_routes(ALL_FAMILIES);
}

/* Redirected packets arrive at an address of the LAN's interface. */
static bool redirect_can_use(const union address *listener)
{
	return !address_is_loopback(listener);
}

static bool marked_can_use(const union address *listener)
{
	(void)listener;
	return true;
}

static const struct {
	bool (*can_use)(const union address *listener);
	const char *wants; /* a listener, for people */
	int (*up)(struct nft *ruleset, const struct intercept_plan *plan);
} methods[] = {
	[INTERCEPT_TPROXY] = {marked_can_use, "--transparent 127.0.0.1:1090", tproxy_up},
	[INTERCEPT_REDIRECT] = {redirect_can_use,
				"--transparent 0.0.0.0:1090, not on a loopback address",
				redirect_up},
	[INTERCEPT_BPF] = {marked_can_use, "--transparent 127.0.0.1:1090", bpf_up},
};

/* The first listener of each family that the method can use. */
static void choose_listeners(struct intercept_plan *plan, struct json_object *listeners)
{
	for (size_t i = 0; i < json_length(listeners); i++) {
		struct json_object *text = json_object_array_get_idx(listeners, i);
		union address address;
		union address *slot;

		if (address_parse(json_object_get_string(text), &address) ||
		    !methods[plan->method].can_use(&address))
			continue;
		slot = &plan->listener[address.sa.sa_family == AF_INET6 ? INTERCEPT_IPV6
									: INTERCEPT_IPV4];
		if (slot->sa.sa_family == AF_UNSPEC)
			*slot = address;
	}
}

static void warn(const struct intercept_plan *plan)
{
	for (int i = 0; i < INTERCEPT_FAMILIES; i++)
		if (plan->listener[i].sa.sa_family == AF_UNSPEC)
			complain("%s is routed as before: hawserd has no transparent listener for "
				 "it",
				 family_names[i]);
	for (size_t i = 0; i < json_length(plan->lan); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(plan->lan, i));

		if (if_nametoindex(name) == 0)
			complain(plan->method == INTERCEPT_BPF
					 ? "there is no interface \"%s\" yet; when it appears, "
					   "run this again"
					 : "there is no interface \"%s\" yet; its connections "
					   "are taken as soon as it appears",
				 name);
	}
}

int intercept_up(struct json_object *settings, struct json_object *lan, const char *method)
{
	struct intercept_plan plan = {.lan = lan ? lan : json_member(settings, "lan"),
				      .bypass = json_member(settings, "bypass")};
	const int known = intercept_method_find(method ? method : json_text(settings, "method"));
	struct nft *ruleset;
	int code;

	if (known < 0)
		return complain("hawser does not know hawserd's method \"%s\"; use the same "
				"version of both",
				json_text(settings, "method"));
	plan.method = (enum intercept_method)known;
	if (json_length(plan.lan) == 0)
		return complain("no interface to take connections from; name one: --lan br-lan, or "
				"intercept { lan = { \"br-lan\" } } in hawserd's configuration");
	plan.transparent_source =
		json_object_get_boolean(json_member(settings, "transparent_source"));
	if (json_object_get_boolean(json_member(settings, "auto_bypass")))
		plan.auto_bypass =
			(uint32_t)json_object_get_int64(json_member(settings, "auto_bypass_retry"));
	if (plan.transparent_source && plan.method != INTERCEPT_TPROXY)
		return complain("transparent-source needs the method tproxy");
	choose_listeners(&plan, json_member(settings, "listeners"));
	if (families_of(&plan) == 0)
		return complain("hawserd has no transparent listener that %s can use; start "
				"hawserd with %s",
				intercept_method_words[plan.method], methods[plan.method].wants);
	ruleset = open_ruleset();
	if (!ruleset)
		return EXIT_FAILURE;
	code = methods[plan.method].up(ruleset, &plan);
	nft_close(ruleset);
	if (!code)
		warn(&plan);
	return code;
}

int intercept_down(void)
{
	struct nft *ruleset = open_ruleset();
	const bool had_program = steer_is_up();
	const char *before;
	int code;
	int bpf_code;

	if (!ruleset)
		return EXIT_FAILURE;
	bpf_code = remove_program();
	/* A kernel for which the program was needed may have no nftables. */
	code = had_program && list_table(ruleset, &before) ? EXIT_SUCCESS : remove_table(ruleset);
	nft_close(ruleset);
	return code || bpf_code ? EXIT_FAILURE : remove_routes(ALL_FAMILIES);
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
		{"bypassed", "routed, by bypass-destination, -source, -port or -mac"},
		{"auto_bypassed", "routed, by auto-bypass: the destination does not speak MPTCP"},
		{"local",
		 "routed, since they are to or from this router, or lead back into the LAN"},
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

static void print_state(struct json_object *state)
{
	struct json_object *hawserd = json_member(state, "hawserd");

	print_label("interception");
	if (json_object_get_boolean(json_member(state, "up"))) {
		printf("up, %s, from ", json_text(state, "method"));
		print_list(json_member(state, "lan"));
	} else {
		puts("down");
	}
	print_label("hawserd");
	if (json_length(json_member(hawserd, "listeners")) > 0) {
		printf("listens on ");
		print_list(json_member(hawserd, "listeners"));
	} else {
		puts(hawserd ? "has no transparent listener" : "does not answer");
	}
	print_bypass(json_member(state, "bypass"));
	print_counters(json_member(state, "counters"));
	print_names(hawserd);
	print_auto_bypass(json_member(state, "auto_bypass"));
}

int intercept_show(struct json_object *settings, bool json)
{
	struct nft *ruleset = open_ruleset();
	struct json_object *state;
	const char *listing;
	int err;

	if (!ruleset)
		return EXIT_FAILURE;
	err = list_table(ruleset, &listing);
	state = err ? steer_state() : NULL;
	if (!state && err && err != -ENOENT) {
		complain("nftables: %s", nft_error(ruleset));
		nft_close(ruleset);
		return EXIT_FAILURE;
	}
	if (!state)
		state = intercept_state(err ? NULL : listing);
	nft_close(ruleset);
	if (!state)
		return complain("libnftables cannot list rules as JSON: it was built without JSON");
	json_object_object_add(state, "hawserd", json_object_get(settings));
	if (json)
		puts(json_object_to_json_string_ext(state, JSON_C_TO_STRING_PLAIN));
	else
		print_state(state);
	json_object_put(state);
	return EXIT_SUCCESS;
}
