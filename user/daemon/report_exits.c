/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_exits.h"

#include "auth/gate.h"
#include "base/clock.h"
#include "config/config.h"
#include "daemon/report_put.h"
#include "shared/exit_state.h"
#include "shared/token_state.h"

static struct json_object *report_exit(const struct exit_config *config)
{
	struct json_object *exit = json_object_new_object();
	char address[DESTINATION_TEXT_MAX];
	struct json_object *avoided = json_object_new_array();
	struct exit_facts facts;
	char ip[ADDRESS_TEXT_MAX];

	exit_state_describe(config->state, &facts);
	put_text(exit, "name", config->name);
	put_text(exit, "address", exit_place_format(&config->place, address));
	put_text(exit, "state", exit_state_name(facts.state));
	put_count(exit, "priority", config->priority);
	put_count(exit, "weight", config->weight);
	put_seconds(exit, "rtt_s", facts.rtt_s);
	put(exit, "clock_offset_ms", json_object_new_int64(facts.clock_offset_ms));
	put(exit, "sessions", report_pair("active", facts.sessions, "total", facts.sessions_total));
	if (facts.state == EXIT_DOWN)
		put_seconds(exit, "down_for_s", clock_monotonic_s() - facts.down_s);
	if (facts.full_s > 0)
		put_seconds(exit, "full_for_s", clock_monotonic_s() - facts.full_s);
	put_count(exit, "probes", facts.probes);
	put_count(exit, "failures", facts.failures);
	for (size_t i = 0; i < facts.avoided_count; i++)
		append(avoided, json_object_new_string(address_format_ip(&facts.avoided[i], ip)));
	put(exit, "avoided", avoided);
	if (facts.last_failure != CAUSE_NONE) {
		put_text(exit, "last_failure", cause_info(facts.last_failure)->name);
		put_seconds(exit, "last_failure_age_s", clock_monotonic_s() - facts.last_failure_s);
	}
	return exit;
}

struct json_object *report_exits(const struct config *config)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < config->exit_count; i++)
		append(list, report_exit(&config->exits[i]));
	put_text(answer, "when_no_exit",
		 config->when_no_exit == WHEN_NO_EXIT_DIRECT ? "direct" : "refuse");
	put(answer, "exits", list);
	return answer;
}

struct json_object *report_tokens(const struct config *config)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < config->gate_count; i++) {
		const struct token_set *tokens = &config->gates[i]->tokens;

		for (size_t j = 0; j < tokens->count; j++) {
			const struct token *token = &tokens->token[j];
			const double full_s = episode_since_s(token_state_full(token->token_state));
			struct json_object *entry = json_object_new_object();

			put_text(entry, "name", token->name);
			put_count(entry, "sessions", token_state_sessions(token->token_state));
			put_count(entry, "sessions_max", token->sessions_max);
			if (full_s > 0)
				put_seconds(entry, "full_for_s", clock_monotonic_s() - full_s);
			append(list, entry);
		}
	}
	return list;
}
