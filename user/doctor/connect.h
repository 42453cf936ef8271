/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's own connections to exits and destinations. */
#ifndef HAWSER_DOCTOR_CONNECT_H
#define HAWSER_DOCTOR_CONNECT_H

#include <stdbool.h>

#include "base/address.h"
#include "base/cause.h"

struct token;

/* From an address (AF_UNSPEC: any) and by a device ("": any); of MPTCP all subflows are bound to
 * the device. A connected socket, or -errno within 2.5 s; took_s: how long. */
int doctor_connect(const union address *source, const char *device, const union address *target,
		   bool want_mptcp, double *took_s);

/* An exit answers a greeting before it knows who asks: so data has gone both ways. 0, or -errno
 * within 2 s. */
int doctor_greet(int fd);

/* Asks an exit over a fresh connection whether it takes the token, as hawserd's probes do. True if
 * it does, with *took_s: how long the answer took; else *cause says why not. */
bool doctor_ask_exit(int fd, const struct token *token, const char *exit_name, enum cause *cause,
		     double *took_s);

#endif
