/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A receive buffer that is full of what came out of order. */
#ifndef HAWSER_NET_MPTCP_ROOM_H
#define HAWSER_NET_MPTCP_ROOM_H

/* Once what came out of order fills the receive buffer of an MPTCP socket, the kernel takes nothing
 * more into it, not even the bytes that all others wait for, and the connection stands still for
 * good (run on 6.18.44). Doubles the buffer of such a socket, and halves it when that has passed.
 * doubled: how often it is; returns how often it is now, at most once more than before, and never
 * more than most. Needs CAP_NET_ADMIN, else does nothing. */
unsigned int mptcp_room_adjust(int fd, unsigned int doubled, unsigned int most);

#endif
