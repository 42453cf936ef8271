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
#include "intercept/steer_mark.h"
#include "intercept/tproxy_route.h"

static struct nft *open_ruleset(struct intercept_fault *fault)
{
	const int err = nft_probe();
	struct nft *ruleset = err ? NULL : nft_open();

	if (nft_is_absent(err)) {
		intercept_blame(fault, "this kernel has no nftables");
		intercept_mend(fault, "modprobe nf_tables; or --method bpf");
	} else if (!ruleset) {
		intercept_blame(fault, "nftables: %s%s", strerror(err ? -err : ENOMEM),
				err == -EPERM ? "; it needs root" : "");
	}
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

static bool run(const char *commands, struct intercept_fault *fault)
{
	struct nft *ruleset = open_ruleset(fault);
	const bool done = ruleset && nft_run(ruleset, commands) == 0;

	if (ruleset && !done)
		intercept_blame(fault, "nftables: %s", nft_error(ruleset));
	nft_close(ruleset);
	return done;
}

static bool load_text(char *text, struct intercept_fault *fault)
{
	const bool done =
		text ? run(text, fault) : intercept_blame(fault, "nftables: %s", strerror(ENOMEM));

	free(text);
	return done;
}

static bool load_rules(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	struct intercept_fault ignored;

	return (plan->in_force && has_table() && load_text(nft_rules_change(plan), &ignored)) ||
	       load_text(nft_rules_text(plan), fault);
}

static bool load_program(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	char reason[128] = "";
	int err = steer_up(plan, reason, sizeof(reason));

	if (*reason)
		intercept_blame(fault, "bpf: %s", reason);
	return err == 0;
}

static bool lacks_route(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	for (int i = 0; intercept_plan_marks(plan) && i < INTERCEPT_FAMILIES; i++) {
		uint32_t first;

		if (!intercept_plan_has(plan, i))
			continue;
		if (tproxy_route_is_behind(plan, intercept_families[i], &first) > 0)
			return !intercept_blame(fault,
						"the ip rule of table %d, %s, before rule %u",
						STEER_TABLE, intercept_family_names[i], first);
		if (tproxy_route_works(intercept_families[i]) == 0)
			return !intercept_blame(fault, "the ip rule or the route of table %d, %s",
						STEER_TABLE, intercept_family_names[i]);
	}
	return false;
}

static bool add_routes(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	for (int i = 0; i < INTERCEPT_FAMILIES; i++) {
		int err = intercept_plan_has(plan, i)
				  ? tproxy_route_add(plan, intercept_families[i])
				  : 0;

		if (err)
			return blame_route(fault, i, err);
	}
	return true;
}

static bool make_way(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	struct intercept_fault lack;

	if (!add_routes(plan, fault))
		return false;
	if (!lacks_route(plan, &lack))
		return true;
	intercept_blame(fault, "%s cannot be put into force: another rule comes first", lack.seen);
	intercept_mend(fault, "ip rule: none of priority 0 may be for packets with mark 0x%x",
		       STEER_MARK);
	return false;
}

/* The way for marked packets is there before the first is marked. */
static bool marked_up(const struct intercept_plan *plan,
		      bool (*load)(const struct intercept_plan *plan,
				   struct intercept_fault *fault),
		      struct intercept_fault *fault)
{
	const bool was_up = has_table() || steer_is_up();
	struct intercept_fault ignored;

	if (make_way(plan, fault) && load(plan, fault))
		return remove_routes(plan, fault);
	/* Rules that are in force from before are as they were, and want their routes. */
	if (!was_up)
		remove_routes(NULL, &ignored);
	return false;
}

/* Where there is no nftables, there is no table either. */
static bool remove_table(struct intercept_fault *fault)
{
	const int err = nft_find_table(INTERCEPT_TABLE_NAME);

	/* What somebody else deletes meanwhile is added first. */
	return err == -ENOENT || nft_is_absent(err) ||
	       run("add table " INTERCEPT_TABLE "\ndelete table " INTERCEPT_TABLE "\n", fault);
}

static bool remove_program(struct intercept_fault *fault)
{
	int err = steer_down();

	return !err || intercept_blame(fault, "bpf: cannot remove the program: %s", strerror(-err));
}

/* A kernel may lack what holding takes. */
static bool load_tproxy(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	struct intercept_plan without = *plan;

	if (load_rules(plan, fault))
		return true;
	without.hold = false;
	if (!plan->hold || !load_rules(&without, fault))
		return false;
	intercept_blame(fault, "without connect-first, which needs nft_log, nfnetlink_log and "
			       "nft_nat of the kernel: connections are accepted before they are "
			       "dialled");
	return true;
}

static bool tproxy_up(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	return marked_up(plan, load_tproxy, fault) && run(INTERCEPT_READY, fault) &&
	       remove_program(fault);
}

static bool bpf_up(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	return marked_up(plan, load_program, fault) && remove_table(fault);
}

static bool redirect_up(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	return load_rules(plan, fault) && remove_program(fault) && remove_routes(NULL, fault);
}

static bool (*const methods[])(const struct intercept_plan *plan, struct intercept_fault *fault) = {
	[INTERCEPT_TPROXY] = tproxy_up,
	[INTERCEPT_REDIRECT] = redirect_up,
	[INTERCEPT_BPF] = bpf_up,
};

bool intercept_apply(const struct intercept_plan *plan, struct intercept_fault *fault)
{
	return methods[plan->method](plan, fault);
}

bool intercept_withdraw(struct intercept_fault *fault)
{
	const bool done = remove_program(fault);

	return remove_table(fault) && done && remove_routes(NULL, fault);
}

void intercept_settle_rule(const struct intercept_plan *plan)
{
	struct intercept_fault ignored;

	if (intercept_plan_marks(plan))
		(void)add_routes(plan, &ignored);
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

static struct json_object *read_table(struct intercept_fault *fault)
{
	struct nft *ruleset = open_ruleset(fault);
	struct json_object *state = NULL;
	const char *listing;

	if (!ruleset)
		return NULL;
	if (nft_list(ruleset, "list table " INTERCEPT_TABLE, false, &listing)) {
		intercept_blame(fault, "nftables: %s", nft_error(ruleset));
	} else {
		state = intercept_state(listing);
		if (!state)
			intercept_blame(fault, "libnftables cannot list rules as JSON: it was "
					       "built without JSON");
	}
	nft_close(ruleset);
	return state;
}

struct json_object *intercept_in_force(struct intercept_fault *fault)
{
	const int err = nft_find_table(INTERCEPT_TABLE_NAME);
	struct json_object *state;

	if (!err)
		return read_table(fault);
	state = steer_state();
	if (!state && (err == -ENOENT || nft_is_absent(err)))
		state = intercept_state(NULL);
	if (!state)
		intercept_blame(fault, "nftables: table " INTERCEPT_TABLE ": %s", strerror(-err));
	return state;
}

void intercept_pause_tproxy(bool paused)
{
	static const struct nft_set_element families[] = {
		{.key = {NFPROTO_IPV4}, .key_len = 1},
		{.key = {NFPROTO_IPV6}, .key_len = 1},
	};

	/* One by one: what is not there cannot be deleted. */
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		(void)(paused ? nft_set_delete("ready", &families[i], 1)
			      : nft_set_renew("ready", &families[i], 1, 0));
}
