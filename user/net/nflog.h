/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that a rule of nftables logs to a group, by nfnetlink_log. */
#ifndef HAWSER_NET_NFLOG_H
#define HAWSER_NET_NFLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mnl_socket;

/* -EBUSY: another process reads this group. -EPERM: this one lacks CAP_NET_ADMIN. Other -errno: the
 * kernel cannot. */
int nflog_open(uint16_t group, struct mnl_socket **out);
void nflog_close(struct mnl_socket *log); /* NULL is allowed */

/* From its IP header on; the bytes are the receiver's until it returns. */
typedef void nflog_fn(void *context, uint8_t *packet, size_t len);

/* Hands over what is there, and does not wait. Some may have been lost. True: there may be more. */
bool nflog_read(struct mnl_socket *log, nflog_fn *receive, void *context);

int nflog_fd(const struct mnl_socket *log);

#endif
