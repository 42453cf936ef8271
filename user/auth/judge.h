/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judge of handshakes: users by password, routers by token. */
#ifndef HAWSER_AUTH_JUDGE_H
#define HAWSER_AUTH_JUDGE_H

#include "proto/handshake.h"

extern const struct handshake_judge auth_judge;

#endif
