/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One netlink socket for requests that are answered at once (libmnl). Knows no message. */
#ifndef HAWSER_NET_NETLINK_H
#define HAWSER_NET_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

struct netlink;

/* bus: NETLINK_ROUTE… NULL with errno set. */
struct netlink *netlink_open(int bus);
void netlink_close(struct netlink *netlink); /* NULL is allowed */

/* What whoever asks by this socket remembers of the answers; release() gets it when the socket is
 * closed. NULL: nothing. */
void netlink_attach(struct netlink *netlink, void *memory, void (*release)(void *memory));
void *netlink_attached(const struct netlink *netlink);

/* Begins a message in the socket's own buffer; extra bytes of header, zeroed, follow nlmsghdr and
 * are returned. The message is complete when it is sent. */
struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags);

/* Sends what netlink_begin() began and waits for the end of the answer; each message of it goes to
 * on_message, which may be NULL, and returns MNL_CB_OK, MNL_CB_ERROR with errno to hear no more of
 * it, or MNL_CB_STOP, after which nothing more is read: where one message is the whole answer, or
 * of a dump on a socket that is closed next. 0 or -errno: the kernel's, the callback's, or EINTR
 * when what was dumped changed meanwhile. But for such a dump the socket is ready for the next
 * request. */
int netlink_send(struct netlink *netlink, mnl_cb_t on_message, void *context);

/* 0 if the attribute is no number. */
uint32_t netlink_number(const struct nlattr *attribute);

/* Adds one more element to an array, for what a callback collects. Arrays grow by doubling at
 * powers of two. MNL_CB_OK, or MNL_CB_ERROR with errno ENOMEM. */
int netlink_list_add(void **array, size_t *count, const void *element, size_t size);

#define NETLINK_LIST_ADD(array, count, element)                                                    \
	netlink_list_add((void **)&(array), &(count), (element), sizeof(*(array)))

#endif
