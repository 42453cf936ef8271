/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks exits whether they are there, when nothing else has found out lately. In one worker. */
#ifndef HAWSER_UPSTREAM_EXIT_PROBER_H
#define HAWSER_UPSTREAM_EXIT_PROBER_H

struct config;
struct ev_loop;
struct link_picker;
struct mptcp_blackhole;
struct exit_prober;
struct resolver;

/* NULL when out of memory. All three outlive it. */
struct exit_prober *exit_prober_open(struct ev_loop *loop, struct resolver *resolver,
				     struct mptcp_blackhole *mptcp_blackhole,
				     struct link_picker *links);
void exit_prober_close(struct exit_prober *prober); /* NULL is allowed */

/* From now on for the exits of config, to which a reference is taken. */
void exit_prober_configure(struct exit_prober *prober, const struct config *config);

#endif
