/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways in which a LAN's connections can be taken, by name. */
#include "config/intercept_method.h"

#include <stddef.h>
#include <string.h>

const char *const intercept_method_words[] = {
	[INTERCEPT_TPROXY] = "tproxy",
	[INTERCEPT_REDIRECT] = "redirect",
	[INTERCEPT_BPF] = "bpf",
	NULL,
};

int intercept_method_find(const char *name)
{
	for (int i = 0; intercept_method_words[i]; i++)
		if (strcmp(intercept_method_words[i], name) == 0)
			return i;
	return -1;
}
