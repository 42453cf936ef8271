/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which congestion control a connected MPTCP socket gets. */
#include "session/congestion.h"

#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "net/kernel.h"
#include "net/socket.h"

/* BBR is worth twice cubic on a lossy or jittery link, and never less elsewhere; but on paths with
 * next to no round-trip time it makes MPTCP receivers stall. */
#define BBR_RTT_MIN_US 2000U

void congestion_choose(const struct config *config, int fd, enum transport transport)
{
	const char *name;
	int err;

	if (transport == TRANSPORT_TCP || config->congestion == CONGESTION_SYSTEM)
		return;
	if (config->congestion == CONGESTION_NAMED)
		name = config->congestion_name;
	else if (kernel_feature(FEATURE_BBR)->available && socket_rtt_us(fd) >= BBR_RTT_MIN_US)
		name = "bbr";
	else
		return;
	err = socket_set_congestion(fd, name);
	if (err)
		log_debug("congestion control %s: %s", name, strerror(-err));
}
