/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an exit is: a name, an address, or an IPv4 and an IPv6 address. Pure. */
#ifndef HAWSER_PROTO_EXIT_PLACE_H
#define HAWSER_PROTO_EXIT_PLACE_H

#include <stddef.h>

#include "base/address.h"

#define EXIT_PLACE_EXPECTED                                                                        \
	"a host name, an IP address, or an IPv4 and an IPv6 address as ADDR,ADDR6, without a port"
#define EXIT_PLACE_TEXT_MAX DESTINATION_TEXT_MAX

struct exit_place {
	struct destination destination;
	union address
		also; /* its other address, with the port; AF_UNSPEC: there is none, or a name */
};

/* "HOST", "ADDR" or "ADDR,ADDR", IPv6 with or without brackets. 0 or -EINVAL. */
int exit_place_from_host(struct exit_place *out, const char *text, size_t len, uint16_t port);

/* The same with ":PORT" behind it, and IPv6 in brackets. */
int exit_place_parse(const char *text, struct exit_place *out);

/* As exit_place_parse() reads it. Returns out. */
const char *exit_place_format(const struct exit_place *place, char out[EXIT_PLACE_TEXT_MAX]);

/* Without the port, as exit_place_from_host() reads it. Returns out. */
const char *exit_place_format_host(const struct exit_place *place, char out[EXIT_PLACE_TEXT_MAX]);

#endif
