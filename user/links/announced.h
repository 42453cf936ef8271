/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of this exit that the kernel tells to whoever connects by MPTCP, so that further
 * subflows come to them and not to the address that was dialled, behind which a balancer may choose
 * another exit. Main thread only. */
#ifndef HAWSER_LINKS_ANNOUNCED_H
#define HAWSER_LINKS_ANNOUNCED_H

struct announced;
struct config;
struct ev_loop;
struct links;

/* links, which outlive it, raise the limit of subflows, too. NULL without memory. */
struct announced *announced_open(struct ev_loop *loop, struct links *links);

/* From now on those of config are announced, and no others that this or an earlier hawserd has
 * announced; what others delete meanwhile is put back. */
void announced_configure(struct announced *announced, const struct config *config);

/* Another hawserd announces from now on: all stays in the kernel. */
void announced_leave(struct announced *announced);

/* Takes back all. NULL is allowed. */
void announced_close(struct announced *announced);

/* Why not all is as it should be; "": it is. NULL is allowed. */
const char *announced_fault(const struct announced *announced);

#endif
