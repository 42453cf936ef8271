/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of network interfaces. */
#include "base/ifname.h"

#include <net/if.h>
#include <string.h>

bool ifname_is_legal(const char *name)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._@:+-";
	const size_t len = strlen(name);

	return len > 0 && len < IFNAMSIZ && strspn(name, legal) == len && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}
