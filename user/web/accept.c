/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "web/accept.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The weight that RFC 9110 section 12.4.2 lets a client give; parameters end at the comma. */
static double weight_of(const char *parameters, size_t len)
{
	const char *end = parameters + len;
	const char *at = parameters;

	while ((at = memchr(at, ';', (size_t)(end - at)))) {
		at++;
		at += strspn(at, " \t");
		if (strncasecmp(at, "q=", 2) == 0) {
			const double weight = strtod(at + 2, NULL);

			return weight > 1 ? 1 : weight > 0 ? weight : 0;
		}
	}
	return 1;
}

double accept_weight(const char *list, const char *word, bool is_word)
{
	double most = 0;

	while (list && *(list += strspn(list, ", \t"))) {
		const size_t len = strcspn(list, ",");
		const size_t name = strcspn(list, ",; \t");
		const bool is_it = name == strlen(word) && strncasecmp(list, word, name) == 0;
		const double weight = name > 0 && is_it == is_word ? weight_of(list, len) : 0;

		most = weight > most ? weight : most;
		list += len;
	}
	return most;
}
