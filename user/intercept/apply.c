/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules that send a LAN's connections to hawserd, put into force and taken back. All that is to
 * be remembered is in the kernel. */
#include "intercept/apply.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "base/json.h"
#include "intercept/nft.h"
#include "intercept/nft_set.h"
#include "intercept/nft_state.h"
#include "intercept/steer.h"
#include "intercept/tproxy_route.h"

static struct nft *open_ruleset(struct intercept_fault *fault)
{
	struct nft *ruleset = nft_open();

	if (!ruleset)
		intercept_blame(fault, "nftables: %s", strerror(ENOMEM));
	return ruleset;
}

static bool has_table(void)
{
	return nft_find_table(INTERCEPT_TABLE_NAME) == 0;
}

static bool blame_route(struct intercept_fault *fault, int family, int err)
{
	return intercept_blame(fault, "ip rule and route of table %d, %s: %s", STEER_TABLE,
			       intercept_family_names[family], strerror(-err));
}

/* Of the families that plan does not have; NULL: of all. */
static bool remove_routes(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	for (int i = 0; i < INTERCEPT_FAMILIES; i++) {
		int err = plan && intercept_plan_has(plan, i)
				  ? 0
				  : tproxy_route_remove(intercept_families[i]);

		if (err)
			return blame_route(fault, i, err);
	}
	return true;
}

static bool run(struct nft *ruleset, const char *commands, struct intercept_fault *fault)
{
	return nft_run(ruleset, commands) == 0 ||
	       intercept_blame(fault, "nftables: %s", nft_error(ruleset));
}

static bool load_rules(struct nft *ruleset, const struct intercept_plan *plan,
		       struct intercept_fault *fault)
{
	char *text = nft_rules_text(plan);
	bool done = text ? run(ruleset, text, fault)
			 : intercept_blame(fault, "nftables: %s", strerror(ENOMEM));

	free(text);
	return done;
}

static bool load_program(struct nft *ruleset, const struct intercept_plan *plan,
			 struct intercept_fault *fault)
{
	char reason[128] = "";
	int err = steer_up(plan, reason, sizeof(reason));

	(void)ruleset;
	if (*reason)
		intercept_blame(fault, "bpf: %s", reason);
	return err == 0;
}

/* The way for marked packets is there before the first is marked. */
static bool marked_up(struct nft *ruleset, const struct intercept_plan *plan,
		      bool (*load)(struct nft *ruleset, const struct intercept_plan *plan,
				   struct intercept_fault *fault),
		      struct intercept_fault *fault)
{
	const bool was_up = has_table() || steer_is_up();
	struct intercept_fault ignored;

	for (int i = 0; i < INTERCEPT_FAMILIES; i++) {
		int err = intercept_plan_has(plan, i) ? tproxy_route_add(intercept_families[i]) : 0;

		if (err)
			return blame_route(fault, i, err);
	}
	if (load(ruleset, plan, fault))
		return remove_routes(plan, fault);
	/* Rules that are in force from before are as they were, and want their routes. */
	if (!was_up)
		remove_routes(NULL, &ignored);
	return false;
}

/* To delete what may not be there, it is added first. */
static bool remove_table(struct nft *ruleset, struct intercept_fault *fault)
{
	return run(ruleset, "add table " INTERCEPT_TABLE "\ndelete table " INTERCEPT_TABLE "\n",
		   fault);
}

static bool remove_program(struct intercept_fault *fault)
{
	int err = steer_down();

	return !err || intercept_blame(fault, "bpf: cannot remove the program: %s", strerror(-err));
}

/* A kernel may lack what holding takes. */
static bool load_tproxy(struct nft *ruleset, const struct intercept_plan *plan,
			struct intercept_fault *fault)
{
	struct intercept_plan without = *plan;

	if (load_rules(ruleset, plan, fault))
		return true;
	without.hold = false;
	if (!plan->hold || !load_rules(ruleset, &without, fault))
		return false;
	intercept_blame(fault, "without connect-first, which needs nft_log, nfnetlink_log and "
			       "nft_nat of the kernel: connections are accepted before they are "
			       "dialled");
	return true;
}

static bool tproxy_up(struct nft *ruleset, const struct intercept_plan *plan,
		      struct intercept_fault *fault)
{
	return marked_up(ruleset, plan, load_tproxy, fault) &&
	       run(ruleset, INTERCEPT_READY, fault) && remove_program(fault);
}

static bool bpf_up(struct nft *ruleset, const struct intercept_plan *plan,
		   struct intercept_fault *fault)
{
	if (!marked_up(ruleset, plan, load_program, fault))
		return false;
	/* Where there is no nftables, there is no table either. */
	return !has_table() || remove_table(ruleset, fault);
}

static bool redirect_up(struct nft *ruleset, const struct intercept_plan *plan,
			struct intercept_fault *fault)
{
	return load_rules(ruleset, plan, fault) && remove_program(fault) &&
	       remove_routes(NULL, fault);
}

static bool (*const methods[])(struct nft *ruleset, const struct intercept_plan *plan,
			       struct intercept_fault *fault) = {
	[INTERCEPT_TPROXY] = tproxy_up,
	[INTERCEPT_REDIRECT] = redirect_up,
	[INTERCEPT_BPF] = bpf_up,
};

bool intercept_apply(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	struct nft *ruleset = open_ruleset(fault);
	bool done = ruleset && methods[plan->method](ruleset, plan, fault);

	nft_close(ruleset);
	return done;
}

bool intercept_withdraw(struct intercept_fault *fault)
{
	struct nft *ruleset = open_ruleset(fault);
	const bool had_program = steer_is_up();
	bool done;

	if (!ruleset)
		return false;
	done = remove_program(fault);
	/* A kernel for which the program was needed may have no nftables. */
	if (!had_program || has_table())
		done = remove_table(ruleset, fault) && done;
	nft_close(ruleset);
	return done && remove_routes(NULL, fault);
}

static bool lacks_route(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	for (int i = 0; intercept_plan_marks(plan) && i < INTERCEPT_FAMILIES; i++)
		if (intercept_plan_has(plan, i) && tproxy_route_works(intercept_families[i]) == 0)
			return !intercept_blame(
				fault, "the ip rule %d or the route of table %d, %s",
				STEER_PRIORITY, STEER_TABLE, intercept_family_names[i]);
	return false;
}

static bool lacks_program(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	for (size_t i = 0; i < json_length(plan->lan); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(plan->lan, i));

		if (if_nametoindex(name) && !steer_is_on(name))
			return !intercept_blame(fault, "the program hawser_steer on %s", name);
	}
	return false;
}

bool intercept_lacks(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	if (lacks_route(plan, fault))
		return true;
	if (plan->method == INTERCEPT_BPF)
		return lacks_program(plan, fault);
	return nft_find_table(INTERCEPT_TABLE_NAME) == -ENOENT &&
	       !intercept_blame(fault, "the nftables table " INTERCEPT_TABLE);
}

struct json_object *intercept_in_force(struct intercept_fault *fault)
{
	struct nft *ruleset = open_ruleset(fault);
	struct json_object *state;
	const char *listing;
	int err;

	if (!ruleset)
		return NULL;
	err = nft_list_table(ruleset, INTERCEPT_TABLE_NAME, &listing);
	state = err ? steer_state() : NULL;
	if (!state && err && err != -ENOENT) {
		intercept_blame(fault, "nftables: %s", nft_error(ruleset));
	} else if (!state) {
		state = intercept_state(err ? NULL : listing);
		if (!state)
			intercept_blame(fault, "libnftables cannot list rules as JSON: it was "
					       "built without JSON");
	}
	nft_close(ruleset);
	return state;
}

void intercept_pause_tproxy(void)
{
	static const struct nft_set_element families[] = {
		{.key = {NFPROTO_IPV4}, .key_len = 1},
		{.key = {NFPROTO_IPV6}, .key_len = 1},
	};

	/* One by one: what is not there cannot be deleted. */
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		(void)nft_set_delete("ready", &families[i], 1);
}
