/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nftables table that sends a LAN's connections to hawserd.
 *
 * Only a connection's first packet is judged, so that no connection that passed the router before
 * is disturbed. By TPROXY, later packets find the socket that they belong to; a tproxy statement
 * without a listener to go to lets the packet go on (nft_tproxy of all kernels), so a hawserd that
 * died is out of the way at once. A redirect needs to be told: the set "alive" has what hawserd
 * refreshes.
 *
 * A transaction does not make everything valid at one moment: sets of intervals get their elements
 * after the rules that look into them (nf_tables_commit() as in 6.18.44, where a packet in between
 * finds them empty). So no method takes anything until a second transaction, or hawserd, says so in
 * a set that has been empty. To change a table that is in force, sets are kept: each has its old
 * elements until it has the new ones. */
#include "intercept/nft_rules.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "intercept/steer_mark.h"

#define FIRST_PACKET "tcp flags & (fin | syn | rst | ack) == syn"
#define LATER_PACKET "tcp flags & (fin | syn | rst | ack) != syn"

/* A second, of each family; what comes besides is accepted before it is dialled. */
#define HOLD_RATE "1000"

/* Of each family; what comes when they are full is taken. */
#define AUTO_BYPASS_MAX "16384"

static const char *const family_names[INTERCEPT_FAMILIES] = {"ipv4", "ipv6"};

#define AUTO_BYPASS4                                                                               \
	"auto_bypass4 { type ipv4_addr . inet_service; flags timeout; size " AUTO_BYPASS_MAX "; }"
#define AUTO_BYPASS6                                                                               \
	"auto_bypass6 { type ipv6_addr . inet_service; flags timeout; size " AUTO_BYPASS_MAX "; }"
#define HOLDING "holding { type nf_proto; flags timeout; }"

/* Their elements are the plan's. */
static const char *const listed_sets[] = {"lan",
					  "bypass_destination4",
					  "bypass_destination6",
					  "bypass_source4",
					  "bypass_source6",
					  "bypass_port",
					  "bypass_mac"};

enum pick { PICK_ALL, PICK_IPV4, PICK_IPV6 };

/* A set of the elements of an array of texts. */
static void put_set(FILE *out, const char *name, const char *type, struct json_object *list,
		    enum pick pick)
{
	const size_t count = list ? json_object_array_length(list) : 0;
	size_t written = 0;

	fprintf(out, "\tset %s {\n\t\ttype %s\n", name, type);
	for (size_t i = 0; i < count; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));
		const bool is_ipv6 = strchr(text, ':') != NULL;

		if (pick != PICK_ALL && is_ipv6 != (pick == PICK_IPV6))
			continue;
		/* Names of interfaces may look like anything. */
		fprintf(out, strcmp(type, "ifname") == 0 ? "%s\"%s\"" : "%s%s",
			written++ ? ", " : "\t\telements = { ", text);
	}
	fputs(written ? " }\n\t}\n" : "\t}\n", out);
}

static void put_sets(FILE *out, const struct intercept_plan *plan)
{
	static const char v4[] = "ipv4_addr\n\t\tflags interval\n\t\tauto-merge";
	static const char v6[] = "ipv6_addr\n\t\tflags interval\n\t\tauto-merge";
	static const char port[] = "inet_service\n\t\tflags interval\n\t\tauto-merge";
	struct json_object *destination = json_member(plan->bypass, "destination");
	struct json_object *source = json_member(plan->bypass, "source");

	put_set(out, "lan", "ifname", plan->lan, PICK_ALL);
	put_set(out, "bypass_destination4", v4, destination, PICK_IPV4);
	put_set(out, "bypass_destination6", v6, destination, PICK_IPV6);
	put_set(out, "bypass_source4", v4, source, PICK_IPV4);
	put_set(out, "bypass_source6", v6, source, PICK_IPV6);
	put_set(out, "bypass_port", port, json_member(plan->bypass, "port"), PICK_ALL);
	put_set(out, "bypass_mac", "ether_addr", json_member(plan->bypass, "mac"), PICK_ALL);
	if (plan->auto_bypass)
		fputs("\tset " AUTO_BYPASS4 "\n\tset " AUTO_BYPASS6 "\n", out);
	if (plan->method == INTERCEPT_REDIRECT)
		fputs("\tset alive {\n\t\ttype nf_proto\n\t\tflags timeout\n\t}\n", out);
	else
		fputs("\tset ready {\n\t\ttype nf_proto\n\t}\n", out);
	if (plan->hold)
		fputs("\tset " HOLDING "\n", out);
}

/* What is left alone by any method. */
static void put_bypass(FILE *out, const struct intercept_plan *plan)
{
	static const char *const matches[] = {
		"ip daddr @bypass_destination4", "ip6 daddr @bypass_destination6",
		"ip saddr @bypass_source4",	 "ip6 saddr @bypass_source6",
		"tcp dport @bypass_port",	 "ether saddr @bypass_mac",
	};

	/* To the router itself, or from it: its own connection that somebody sent back. */
	fputs("\t\tfib daddr type { local, broadcast, anycast, multicast } counter name local "
	      "return\n"
	      "\t\tfib saddr type local counter name local return\n",
	      out);
	/* Out by the LAN again: hawserd's own connection there could be sent back to be taken. */
	for (size_t i = 0; i < json_object_array_length(plan->lan); i++)
		fprintf(out, "\t\tfib daddr oifname \"%s\" counter name local return\n",
			json_object_get_string(json_object_array_get_idx(plan->lan, i)));
	/* The router's own answer tells the client at once. */
	if (plan->needs_route)
		fputs("\t\tfib daddr oif missing counter name unroutable return\n", out);
	for (size_t i = 0; i < sizeof(matches) / sizeof(*matches); i++)
		fprintf(out, "\t\t%s counter name bypassed return\n", matches[i]);
	for (int i = 0; plan->auto_bypass && i < INTERCEPT_FAMILIES; i++)
		fprintf(out,
			"\t\t%s daddr . tcp dport @auto_bypass%c numgen random mod %u != 0 "
			"counter name auto_bypassed return\n",
			i == INTERCEPT_IPV6 ? "ip6" : "ip", i == INTERCEPT_IPV6 ? '6' : '4',
			plan->auto_bypass);
}

/* "ADDR:PORT", ":PORT" for any address. */
static void put_address(FILE *out, const union address *address)
{
	char text[ADDRESS_TEXT_MAX];

	if (address_is_any(address))
		fprintf(out, ":%u", address_port(address));
	else
		fputs(address_format(address, text), out);
}

/* To the listener of a family, if there is one; what follows happens only when it lives. */
static void put_to_listener(FILE *out, const struct intercept_plan *plan, int family,
			    const char *condition, const char *then)
{
	if (plan->listener[family].sa.sa_family == AF_UNSPEC)
		return;
	fprintf(out, "\t\tmeta nfproto %s meta l4proto tcp %stproxy %s to ", family_names[family],
		condition, family == INTERCEPT_IPV6 ? "ip6" : "ip");
	put_address(out, &plan->listener[family]);
	fprintf(out, " %s\n", then);
}

/* hawserd gets a copy and has it come in again, by the loopback interface with the mark, when the
 * dial stands. What is too much for it is accepted first, and so is a further subflow of a
 * connection that is there. */
static void put_hold(FILE *out, const struct intercept_plan *plan)
{
	static const char few[] = "meta nfproto @holding limit rate " HOLD_RATE
				  "/second burst " HOLD_RATE " packets ";
	static const char few_simple[] =
		"ip6 nexthdr tcp meta nfproto @holding limit rate " HOLD_RATE
		"/second burst " HOLD_RATE " packets ";
	char hold[64];

	snprintf(hold, sizeof(hold), "counter name held log group %d drop", INTERCEPT_HOLD_GROUP);
	fputs("\t\ttcp option mptcp subtype 1 goto take\n", out);
	for (int i = 0; i < INTERCEPT_FAMILIES; i++)
		put_to_listener(out, plan, i, i == INTERCEPT_IPV6 ? few_simple : few, hold);
}

/* What comes in again passes the NAT of other people, who may not look at the interface. */
static void put_admitted(FILE *out)
{
	fprintf(out,
		"\tchain postrouting {\n"
		"\t\ttype nat hook postrouting priority srcnat - 1; policy accept;\n"
		"\t\toifname != \"lo\" return\n"
		"\t\tmeta mark & 0x%x == 0 return\n"
		"\t\tmeta nfproto ipv4 snat ip to ip saddr\n"
		"\t\tmeta nfproto ipv6 snat ip6 to ip6 saddr\n"
		"\t}\n",
		STEER_MARK);
}

static void put_tproxy(FILE *out, const struct intercept_plan *plan)
{
	static const char from_lan[] = "\t\tiifname != @lan return\n";
	char take[96];

	fputs("\tchain " INTERCEPT_PREROUTING " {\n"
	      "\t\ttype filter hook prerouting priority mangle; policy accept;\n"
	      "\t\tmeta l4proto != tcp return\n",
	      out);
	if (plan->hold)
		fprintf(out,
			"\t\tiifname \"lo\" meta mark & 0x%x != 0 " FIRST_PACKET " jump take\n"
			/* Nobody took it. The client says it again. */
			"\t\tiifname \"lo\" meta mark & 0x%x != 0 " FIRST_PACKET " drop\n",
			STEER_MARK, STEER_MARK);
	fprintf(out,
		/* What is for a client's address that hawserd dialled from comes in by any link. */
		"%s"
		"\t\t" LATER_PACKET " socket transparent 1 meta mark set meta mark or 0x%x accept\n"
		"%s"
		"\t\t" FIRST_PACKET " meta nfproto @ready goto first\n"
		"\t}\n",
		plan->transparent_source ? "" : from_lan, STEER_MARK,
		plan->transparent_source ? from_lan : "");
	fputs("\tchain first {\n", out);
	put_bypass(out, plan);
	if (plan->hold)
		put_hold(out, plan);
	fputs("\t\tgoto take\n\t}\n\tchain take {\n", out);
	snprintf(take, sizeof(take), "meta mark set meta mark or 0x%x counter name caught accept",
		 STEER_MARK);
	for (int i = 0; i < INTERCEPT_FAMILIES; i++)
		put_to_listener(out, plan, i, "", take);
	fputs("\t\tcounter name missed\n\t}\n", out);
	if (plan->hold)
		put_admitted(out);
}

static void put_redirect(FILE *out, const struct intercept_plan *plan)
{
	/* After other people's port forwards. */
	fputs("\tchain prerouting {\n"
	      "\t\ttype nat hook prerouting priority dstnat + 1; policy accept;\n"
	      "\t\tmeta l4proto != tcp return\n"
	      "\t\tiifname != @lan return\n"
	      "\t\t" FIRST_PACKET " goto first\n"
	      "\t}\n"
	      "\tchain first {\n",
	      out);
	put_bypass(out, plan);
	fputs("\t\tmeta nfproto != @alive counter name missed return\n"
	      /* The kernel would not tell hawserd where an MPTCP client wanted to go. */
	      "\t\ttcp option mptcp exists counter name mptcp return\n",
	      out);
	for (int i = 0; i < INTERCEPT_FAMILIES; i++) {
		const union address *listener = &plan->listener[i];

		if (listener->sa.sa_family == AF_UNSPEC)
			continue;
		fprintf(out, "\t\tmeta nfproto %s meta l4proto tcp counter name caught ",
			family_names[i]);
		if (address_is_any(listener))
			fputs("redirect to ", out);
		else
			fprintf(out, "dnat %s to ", i == INTERCEPT_IPV6 ? "ip6" : "ip");
		put_address(out, listener);
		fputc('\n', out);
	}
	fputs("\t}\n", out);
}

static void put_table(FILE *out, const struct intercept_plan *plan)
{
	fputs("table " INTERCEPT_TABLE " {\n"
	      "\tcounter caught { }\n\tcounter bypassed { }\n\tcounter local { }\n"
	      "\tcounter missed { }\n",
	      out);
	if (plan->method == INTERCEPT_REDIRECT)
		fputs("\tcounter mptcp { }\n", out);
	if (plan->auto_bypass)
		fputs("\tcounter auto_bypassed { }\n", out);
	if (plan->needs_route)
		fputs("\tcounter unroutable { }\n", out);
	if (plan->hold)
		fputs("\tcounter held { }\n", out);
	put_sets(out, plan);
	if (plan->method == INTERCEPT_REDIRECT)
		put_redirect(out, plan);
	else
		put_tproxy(out, plan);
	fputs("}\n", out);
}

/* To delete what may not be there, it is added first. */
static void put_removal(FILE *out, const char *kind, const char *object)
{
	fprintf(out, "add %s " INTERCEPT_TABLE " %s\n", kind, object);
	fprintf(out, "delete %s " INTERCEPT_TABLE " %.*s\n", kind, (int)strcspn(object, " "),
		object);
}

/* What a plan before may have had, and no rule uses any more. */
static void put_removals(FILE *out, const struct intercept_plan *plan)
{
	if (!plan->hold && plan->method == INTERCEPT_TPROXY) {
		put_removal(out, "chain", "postrouting");
		put_removal(out, "set", HOLDING);
		put_removal(out, "counter", "held");
	}
	if (!plan->auto_bypass) {
		put_removal(out, "set", AUTO_BYPASS4);
		put_removal(out, "set", AUTO_BYPASS6);
		put_removal(out, "counter", "auto_bypassed");
	}
	if (!plan->needs_route)
		put_removal(out, "counter", "unroutable");
}

static void put_flush(FILE *out)
{
	fputs("flush table " INTERCEPT_TABLE "\n", out);
	for (size_t i = 0; i < sizeof(listed_sets) / sizeof(*listed_sets); i++)
		fprintf(out, "flush set " INTERCEPT_TABLE " %s\n", listed_sets[i]);
}

static char *write_text(const struct intercept_plan *plan, bool change)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	if (change)
		put_flush(out);
	else
		fputs("add table " INTERCEPT_TABLE "\ndelete table " INTERCEPT_TABLE "\n", out);
	put_table(out, plan);
	if (change)
		put_removals(out, plan);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

char *nft_rules_text(const struct intercept_plan *plan)
{
	return write_text(plan, false);
}

char *nft_rules_change(const struct intercept_plan *plan)
{
	return write_text(plan, true);
}
