/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name of the server in the first bytes that a client sends: SNI of a TLS ClientHello (RFC 6066
 * section 3), Host of an HTTP request (RFC 9110 section 7.2). Pure. */
#ifndef HAWSER_PROTO_SERVER_NAME_H
#define HAWSER_PROTO_SERVER_NAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "proto/handshake.h"

/* bytes[0..len) is all that came so far. PARSE_DONE: name is filled, and no address. PARSE_MORE: it
 * may be in what is still to come. PARSE_BAD: there is none. */
enum parse server_name_name(const uint8_t *bytes, size_t len, char name[HOST_NAME_MAX_BYTES + 1]);

#endif
