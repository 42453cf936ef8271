/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of iptables-legacy, which nftables does not list. */
#ifndef HAWSER_SETUP_LEGACY_FIREWALL_H
#define HAWSER_SETUP_LEGACY_FIREWALL_H

#include <stdbool.h>
#include <stddef.h>

/* Pure. Whether what `iptables-legacy -S` prints may drop what any address sends to the TCP port.
 */
bool legacy_firewall_drops(const char *rules, unsigned int port);

/* Whether those of this host may keep routers from the port; command: what would let them in. size:
 * 160 or more. */
bool legacy_firewall_closes(unsigned int port, char *command, size_t size);

#endif
