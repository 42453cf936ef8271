/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a client wanted to go whose connection was taken on its way. Facts about one fd, dials
 * nothing. */
#ifndef HAWSER_SESSION_ORIGINAL_DESTINATION_H
#define HAWSER_SESSION_ORIGINAL_DESTINATION_H

#include "base/address.h"
#include "base/cause.h"
#include "config/config.h"

struct netlink;

/* Fills out with where the client of an accepted connection wanted to go, by conntrack, else with
 * the address it was accepted at. 0 or -errno: why conntrack does not tell. */
int original_address(int fd, union address *out);

/* The same of a connection that a transparent listener accepted, by TPROXY or by REDIRECT.
 * CAUSE_NONE, CAUSE_NOT_ALLOWED (it is a listener of ours: dialling it would be a loop), or
 * CAUSE_NO_ORIGINAL (the kernel does not tell). */
enum cause original_destination(int fd, const struct config *config, struct netlink *routes,
				union address *out);

#endif
