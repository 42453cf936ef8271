/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one door from a destination to a connected socket: by an exit where that is asked for,
 * directly otherwise, and also where no exit answers, if the configuration says so. */
#ifndef HAWSER_UPSTREAM_UPSTREAM_H
#define HAWSER_UPSTREAM_UPSTREAM_H

#include "upstream/dial.h"

struct upstream_dial;

/* As dial_start(), and notifies as it does; destination and client are copied, first must stay
 * until then. by_exit: exits are tried first; first[0..first_len), the client's first bytes, then
 * leave with the request, and the result says whether they did. */
struct upstream_dial *upstream_start(const struct dial_request *request, bool by_exit,
				     const void *first, size_t first_len, dial_fn *notify,
				     void *context);

/* notify is not called any more. NULL does nothing. */
void upstream_cancel(struct upstream_dial *upstream);

#endif
