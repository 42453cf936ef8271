/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why an exit serves no speed test, for people. */
#include "speed/said.h"

#include <inttypes.h>
#include <stdio.h>

/* "3 h 12 min" */
static const char *duration(uint32_t seconds, char out[static 32])
{
	if (seconds < 120)
		snprintf(out, 32, "%" PRIu32 " s", seconds);
	else if (seconds < 2 * 3600)
		snprintf(out, 32, "%" PRIu32 " min", seconds / 60);
	else
		snprintf(out, 32, "%" PRIu32 " h %" PRIu32 " min", seconds / 3600,
			 seconds / 60 % 60);
	return out;
}

void speed_say_refusal(char out[SPEED_SAID_MAX], const struct exit_config *exit, enum cause cause,
		       const struct speed_verdict *verdict)
{
	const char *token = exit->tokens.token->name;
	char wait[32];

	switch (verdict->refusal) {
	case SPEED_BUSY:
		snprintf(out, SPEED_SAID_MAX,
			 "exit %s: another speed test of token %s is under way; it ends within %s",
			 exit->name, token, duration(verdict->wait_s, wait));
		return;
	case SPEED_USED_UP:
		snprintf(out, SPEED_SAID_MAX,
			 "exit %s: token %s has used up the %.3g GB a day that it may have for "
			 "speed tests (speedtest= in the exit's token file); the day ends in %s",
			 exit->name, token, (double)verdict->bytes / 1e9,
			 duration(verdict->wait_s, wait));
		return;
	case SPEED_OFF:
		snprintf(out, SPEED_SAID_MAX,
			 "exit %s: token %s may have no speed tests (speedtest=0 in the exit's "
			 "token file)",
			 exit->name, token);
		return;
	case SPEED_CROWDED:
		snprintf(out, SPEED_SAID_MAX, "exit %s: the test has too many connections",
			 exit->name);
		return;
	default:
		break;
	}
	if (cause == CAUSE_COMMAND_NOT_SUPPORTED)
		snprintf(out, SPEED_SAID_MAX,
			 "exit %s does not know of speed tests: its hawserd is older than this one",
			 exit->name);
	else
		snprintf(out, SPEED_SAID_MAX, "exit %s refuses: %s", exit->name,
			 cause_info(cause)->text);
}

bool speed_say_failure(char out[SPEED_SAID_MAX], const struct exit_config *exit, enum cause cause)
{
	const char *token = exit->tokens.token->name;

	switch (cause) {
	case CAUSE_AUTH_FAILED:
		snprintf(
			out, SPEED_SAID_MAX,
			"exit %s refuses token %s: it is not in the exit's token file, or the exit "
			"has another name",
			exit->name, token);
		return true;
	case CAUSE_LIMIT:
		snprintf(
			out, SPEED_SAID_MAX,
			"exit %s: token %s has as many sessions as it may (sessions= in the exit's "
			"token file)",
			exit->name, token);
		return true;
	case CAUSE_EXIT_BROKEN:
		snprintf(out, SPEED_SAID_MAX,
			 "exit %s: who answers there is no hawserd with tokens, or left at once; "
			 "only such can be measured against",
			 exit->name);
		return false;
	default:
		snprintf(out, SPEED_SAID_MAX, "exit %s cannot be reached: %s", exit->name,
			 cause_info(cause)->text);
		return cause == CAUSE_CLOCK;
	}
}
