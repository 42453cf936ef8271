/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a parser says of the bytes so far. */
#ifndef HAWSER_PROTO_PARSE_H
#define HAWSER_PROTO_PARSE_H

enum parse {
	PARSE_MORE, /* a message is not whole yet */
	PARSE_DONE,
	PARSE_BAD, /* it never will be one; the parser's owner says why */
};

#endif
