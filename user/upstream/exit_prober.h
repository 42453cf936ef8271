/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks exits whether they are there, when nothing else has found out lately. In one worker. */
#ifndef HAWSER_UPSTREAM_EXIT_PROBER_H
#define HAWSER_UPSTREAM_EXIT_PROBER_H

#include "upstream/dial.h"

struct exit_prober;

/* NULL when out of memory. env: without configuration and affinity. */
struct exit_prober *exit_prober_open(const struct dial_env *env);
void exit_prober_close(struct exit_prober *prober); /* NULL is allowed */

/* From now on for the exits of config, to which a reference is taken. */
void exit_prober_configure(struct exit_prober *prober, const struct config *config);

#endif
