/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the words of a command line, or of a line of commands, say about a link. */
#ifndef EMULATOR_SETTINGS_H
#define EMULATOR_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emulator_path.h"

enum direction { DIRECTION_UP, DIRECTION_DOWN, DIRECTIONS };

struct link_settings {
	struct path_settings paths[DIRECTIONS];
	/* As it was said; both 0: automatic. */
	struct {
		uint64_t bytes;
		uint64_t ns;
	} queues[DIRECTIONS];
	bool carrier;
};

/* No limits, no delay. */
void link_settings_init(struct link_settings *settings);

/* Applies one word, KEY=VALUE. Returns whether it is right; else complaint says what is wrong and
 * what is legal. */
bool link_settings_apply(struct link_settings *settings, const char *word, char *complaint,
			 size_t size);

/* Whether the settings fit together; also works out the queues. To be called after all words. */
bool link_settings_complete(struct link_settings *settings, char *complaint, size_t size);

#endif
