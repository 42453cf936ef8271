/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `hawser intercept up` is to put into force. Pure. */
#include "intercept/plan.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"

const int intercept_families[INTERCEPT_FAMILIES] = {
	[INTERCEPT_IPV4] = AF_INET, [INTERCEPT_IPV6] = AF_INET6};
const char *const intercept_family_names[INTERCEPT_FAMILIES] = {"IPv4", "IPv6"};

bool intercept_blame(struct intercept_fault *fault, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(fault->seen, sizeof(fault->seen), format, arguments);
	va_end(arguments);
	return false;
}

void intercept_mend(struct intercept_fault *fault, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(fault->mend, sizeof(fault->mend), format, arguments);
	va_end(arguments);
}

bool intercept_plan_has(const struct intercept_plan *plan, int family)
{
	return plan->listener[family].sa.sa_family != AF_UNSPEC;
}

bool intercept_plan_marks(const struct intercept_plan *plan)
{
	return plan->method != INTERCEPT_REDIRECT;
}

/* Redirected packets arrive at an address of the LAN's interface. */
static bool can_use(enum intercept_method method, const union address *listener)
{
	return method != INTERCEPT_REDIRECT || !address_is_loopback(listener);
}

/* The first listener of each family that the method can use. False when there is none. */
static bool choose_listeners(struct intercept_plan *plan, struct json_object *listeners)
{
	bool any = false;

	for (size_t i = 0; i < json_length(listeners); i++) {
		struct json_object *text = json_object_array_get_idx(listeners, i);
		union address address;
		union address *slot;

		if (address_parse(json_object_get_string(text), &address) ||
		    !can_use(plan->method, &address))
			continue;
		slot = &plan->listener[address.sa.sa_family == AF_INET6 ? INTERCEPT_IPV6
									: INTERCEPT_IPV4];
		if (slot->sa.sa_family == AF_UNSPEC)
			*slot = address;
		any = true;
	}
	return any;
}

bool intercept_plan_make(struct intercept_plan *plan, struct json_object *settings,
			 struct json_object *lan, const char *method, struct intercept_fault *fault)
{
	const int known = intercept_method_find(method ? method : json_text(settings, "method"));

	*plan = (struct intercept_plan){.lan = lan ? lan : json_member(settings, "lan"),
					.bypass = json_member(settings, "bypass")};
	if (known < 0)
		return intercept_blame(fault,
				       "hawser does not know hawserd's method \"%s\"; use the same "
				       "version of both",
				       json_text(settings, "method"));
	plan->method = (enum intercept_method)known;
	if (json_length(plan->lan) == 0)
		return intercept_blame(
			fault, "no interface to take connections from; name one: --lan br-lan, or "
			       "intercept { lan = { \"br-lan\" } } in hawserd's configuration");
	plan->transparent_source =
		json_object_get_boolean(json_member(settings, "transparent_source"));
	if (json_object_get_boolean(json_member(settings, "auto_bypass")))
		plan->auto_bypass =
			(uint32_t)json_object_get_int64(json_member(settings, "auto_bypass_retry"));
	plan->hold = plan->method == INTERCEPT_TPROXY &&
		     json_object_get_boolean(json_member(settings, "connect_first"));
	plan->needs_route = json_object_get_boolean(json_member(settings, "needs_route"));
	if (plan->transparent_source && plan->method != INTERCEPT_TPROXY)
		return intercept_blame(fault, "transparent-source needs the method tproxy");
	if (!choose_listeners(plan, json_member(settings, "listeners")))
		return intercept_blame(
			fault,
			"hawserd has no transparent listener that %s can use; start hawserd "
			"with --transparent %s",
			intercept_method_words[plan->method],
			plan->method == INTERCEPT_REDIRECT
				? "0.0.0.0:1090, not on a loopback address"
				: "127.0.0.1:1090");
	return true;
}
