/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_ready.h"

#include <json-c/json.h>

#include "config/config.h"
#include "daemon/report_put.h"
#include "net/local_address.h"
#include "shared/exit_state.h"

static bool is_open(const struct config *config)
{
	for (size_t i = 0; i < config->listen_count; i++)
		if (!config->listen[i].metrics &&
		    local_address_check(&config->listen[i].address) == 0)
			return true;
	return false;
}

static bool has_way_out(const struct config *config)
{
	for (size_t i = 0; i < config->exit_count; i++)
		if (exit_state_is_usable(config->exits[i].state))
			return true;
	return config->exit_count == 0 || config->when_no_exit == WHEN_NO_EXIT_DIRECT;
}

static const char *find_reason(const struct config *config, bool draining)
{
	if (draining)
		return "it takes no new sessions, and ends with the last one";
	if (!is_open(config))
		return "no interface has the address of a listener";
	if (!has_way_out(config))
		return "no exit answers, and when-no-exit is refuse";
	return "";
}

struct json_object *report_ready(const struct config *config, bool draining)
{
	struct json_object *answer = json_object_new_object();
	const char *reason = find_reason(config, draining);

	put(answer, "ready", json_object_new_boolean(!*reason));
	put_text(answer, "reason", reason);
	return answer;
}
