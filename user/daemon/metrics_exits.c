/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of exits, at most EXITS_MAX, and of tokens, at most METRICS_TOKENS_MAX. */
#include <string.h>

#include "auth/gate.h"
#include "config/config.h"
#include "daemon/metrics.h"
#include "shared/exit_state.h"
#include "shared/token_state.h"
#include "web/exposition.h"

enum exit_figure {
	EXIT_FIGURE_UP,
	EXIT_FIGURE_RTT,
	EXIT_FIGURE_SESSIONS,
	EXIT_FIGURE_STARTED,
	EXIT_FIGURE_PROBES,
	EXIT_FIGURE_FAILURES,
	EXIT_FIGURE_CLOCK,
	EXIT_FIGURE_FULL,
	EXIT_FIGURES
};

static const struct {
	enum metric_type type;
	const char *name;
	const char *help;
} figures[EXIT_FIGURES] = {
	[EXIT_FIGURE_UP] = {METRIC_GAUGE, "hawser_exit_up", "Whether the exit is used."},
	[EXIT_FIGURE_RTT] = {METRIC_GAUGE, "hawser_exit_rtt_seconds",
			     "Time to its answer, smoothed."},
	[EXIT_FIGURE_SESSIONS] = {METRIC_GAUGE, "hawser_exit_sessions",
				  "Sessions that it carries."},
	[EXIT_FIGURE_STARTED] = {METRIC_COUNTER, "hawser_exit_sessions_started",
				 "Sessions that it has carried."},
	[EXIT_FIGURE_PROBES] = {METRIC_COUNTER, "hawser_exit_probes", "Times that it was probed."},
	[EXIT_FIGURE_FAILURES] = {METRIC_COUNTER, "hawser_exit_failures",
				  "Attempts that failed because of it."},
	[EXIT_FIGURE_CLOCK] = {METRIC_GAUGE, "hawser_exit_clock_offset_seconds",
			       "What its clock is ahead of ours."},
	[EXIT_FIGURE_FULL] = {METRIC_GAUGE, "hawser_exit_full",
			      "Whether our token has as many sessions there as it may."},
};

static void write_figure(enum exit_figure figure, const char *name, const struct exit_facts *facts,
			 struct exposition *out)
{
	const uint64_t counts[EXIT_FIGURES] = {
		/* One that was never tried is used as if it were up. */
		[EXIT_FIGURE_UP] = facts->state != EXIT_DOWN,
		[EXIT_FIGURE_SESSIONS] = facts->sessions,
		[EXIT_FIGURE_STARTED] = facts->sessions_total,
		[EXIT_FIGURE_PROBES] = facts->probes,
		[EXIT_FIGURE_FAILURES] = facts->failures,
		[EXIT_FIGURE_FULL] = facts->full_s > 0,
	};

	if (figure == EXIT_FIGURE_CLOCK)
		exposition_value(out, (double)facts->clock_offset_ms / 1e3, "exit", name, NULL);
	else if (figure != EXIT_FIGURE_RTT)
		exposition_count(out, counts[figure], "exit", name, NULL);
	else if (facts->rtt_s > 0)
		exposition_value(out, facts->rtt_s, "exit", name, NULL);
}

struct token_sum {
	const char *name;
	uint64_t sessions;
	uint64_t limit;
};

/* Two listeners may have tokens of one name: of these all sessions count, and the first limit. */
static size_t sum_tokens(const struct config *config, struct token_sum sums[METRICS_TOKENS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < config->gate_count; i++) {
		const struct token_set *tokens = &config->gates[i]->tokens;

		for (size_t j = 0; j < tokens->count; j++) {
			const struct token *token = &tokens->token[j];
			size_t at = 0;

			while (at < count && strcmp(sums[at].name, token->name) != 0)
				at++;
			if (at == METRICS_TOKENS_MAX)
				continue;
			if (at == count)
				sums[count++] = (struct token_sum){.name = token->name,
								   .limit = token->sessions_max};
			sums[at].sessions += token_state_sessions(token->token_state);
		}
	}
	return count;
}

static void write_tokens(const struct config *config, struct exposition *out)
{
	struct token_sum sums[METRICS_TOKENS_MAX];
	const size_t count = sum_tokens(config, sums);

	exposition_family(out, METRIC_GAUGE, "hawser_token_sessions",
			  "Sessions of a router at this exit, by its token.");
	for (size_t i = 0; i < count; i++)
		exposition_count(out, sums[i].sessions, "token", sums[i].name, NULL);
	exposition_family(out, METRIC_GAUGE, "hawser_token_sessions_limit",
			  "Sessions that the token may have; 0: no limit.");
	for (size_t i = 0; i < count; i++)
		exposition_count(out, sums[i].limit, "token", sums[i].name, NULL);
}

void metrics_write_exits(const struct config *config, struct exposition *out)
{
	struct exit_facts facts[EXITS_MAX];

	for (size_t i = 0; i < config->exit_count; i++)
		exit_state_describe(config->exits[i].state, &facts[i]);
	for (enum exit_figure figure = 0; figure < EXIT_FIGURES; figure++) {
		exposition_family(out, figures[figure].type, figures[figure].name,
				  figures[figure].help);
		for (size_t i = 0; i < config->exit_count; i++)
			write_figure(figure, config->exits[i].name, &facts[i], out);
	}
	write_tokens(config, out);
}
