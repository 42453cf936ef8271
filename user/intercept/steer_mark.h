/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is taken is marked, and routed to this host by a rule and a table of our own. */
#ifndef HAWSER_INTERCEPT_STEER_MARK_H
#define HAWSER_INTERCEPT_STEER_MARK_H

/* One bit, so that it goes with other people's marks. */
#define STEER_MARK 0x01000000U
/* The highest. Others come before it by intent (OpenWrt's own from 1, strongSwan's 220), or since
 * the kernel numbers a rule without a priority so (fib_default_rule_pref()): ours is put before
 * those, and goes back up when they have gone: below 2, two without a priority swap their order. */
#define STEER_PRIORITY 684
#define STEER_TABLE    8684

#endif
