// SPDX-License-Identifier: GPL-2.0-or-later
/* The ways in which a LAN's connections can be taken, by name. */
#include "config/intercept_method.h"

#include <stddef.h>

const char *const intercept_method_words[] = {
	[INTERCEPT_TPROXY] = "tproxy",
	[INTERCEPT_REDIRECT] = "redirect",
	[INTERCEPT_BPF] = "bpf",
	NULL,
};
