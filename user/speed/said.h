/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why an exit serves no speed test, for people. */
#ifndef HAWSER_SPEED_SAID_H
#define HAWSER_SPEED_SAID_H

#include "base/cause.h"
#include "config/config.h"
#include "proto/speed_message.h"
#include "speed/figures.h"

/* It replied, with this cause, and with a verdict or one that is SPEED_TAKEN: none. */
void speed_say_refusal(char out[SPEED_SAID_MAX], const struct exit_config *exit, enum cause cause,
		       const struct speed_verdict *verdict);

/* It could not be asked. Returns whether that is so whichever way. */
bool speed_say_failure(char out[SPEED_SAID_MAX], const struct exit_config *exit, enum cause cause);

#endif
