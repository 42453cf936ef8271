/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a program hangs on an interface. An attachment of either kind lasts without a process or a
 * pin, until the interface goes. */
#include "intercept/tc_hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

/* BPF_TCX_INGRESS of Linux 6.6: older headers, and libbpf 1.1, do not know the name, but what
 * attaches and asks takes any number. */
#define TCX_INGRESS ((enum bpf_attach_type)46)
#define TCX_MAX	    64 /* programs on one interface, as the kernel has it */

/* Of a filter: whether clsact was made for it, or for ours beside it. As it lasts as long as the
 * filter, it needs no process that remembers, and no right but to ask. */
enum handle { HANDLE_GUEST = 1, HANDLE_OWN };

#define ANSWER_BYTES 8192
#define LOOPBACK     1 /* ifindex, in every namespace */

const struct tc_program tc_steer = {.name = "hawser_steer", .priority = TC_PRIORITY_STEER};

enum tc_hook tc_hook_probe(void)
{
	__u32 count = 0;

	return bpf_prog_query(LOOPBACK, TCX_INGRESS, 0, NULL, NULL, &count) == -EINVAL
		       ? STEER_CLSACT
		       : STEER_TCX;
}

/* A descriptor if the program is ours. */
static int open_ours(const struct tc_program *which, __u32 id)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strcmp(info.name, which->name) == 0)
		return fd;
	close(fd);
	return -ENOENT;
}

static int tcx_find(const struct tc_program *which, unsigned int ifindex, unsigned int nth)
{
	__u32 ids[TCX_MAX];
	__u32 count = TCX_MAX;
	int denied = -ENOENT;
	int err = bpf_prog_query((int)ifindex, TCX_INGRESS, 0, NULL, ids, &count);

	/* Who may not ask has never attached anything; nor has a kernel without bpf(). */
	if (err)
		return err == -EPERM || err == -ENOSYS || err == -ENODEV ? -ENOENT : err;
	for (__u32 i = 0; i < count; i++) {
		int fd = open_ours(which, ids[i]);

		if (fd >= 0 && nth-- == 0)
			return fd;
		if (fd >= 0)
			close(fd);
		else if (fd == -EPERM)
			denied = fd;
	}
	return denied;
}

static struct bpf_tc_hook ingress_of(unsigned int ifindex)
{
	struct bpf_tc_hook hook;

	memset(&hook, 0, sizeof(hook));
	hook.sz = sizeof(hook);
	hook.ifindex = (int)ifindex;
	hook.attach_point = BPF_TC_INGRESS;
	return hook;
}

/* In place: libbpf refuses what has anything in the padding, which a copy may lose. */
static void filter_name(struct bpf_tc_opts *opts, enum tc_priority priority, enum handle handle)
{
	memset(opts, 0, sizeof(*opts));
	opts->sz = sizeof(*opts);
	opts->handle = handle;
	opts->priority = priority;
}

/* The kernel's word for no such qdisc or priority is EINVAL. */
static bool means_none(int err)
{
	return err == -ENOENT || err == -EINVAL;
}

/* The filter of this priority, with either handle. 0 or -errno, of which means_none() knows. */
static int clsact_query(const struct bpf_tc_hook *hook, enum tc_priority priority,
			struct bpf_tc_opts *seen)
{
	int err;

	filter_name(seen, priority, HANDLE_OWN);
	err = bpf_tc_query(hook, seen);
	if (!means_none(err))
		return err;
	filter_name(seen, priority, HANDLE_GUEST);
	return bpf_tc_query(hook, seen);
}

static int clsact_find(const struct tc_program *which, unsigned int ifindex)
{
	const struct bpf_tc_hook hook = ingress_of(ifindex);
	struct bpf_tc_opts seen;

	return clsact_query(&hook, which->priority, &seen) ? -ENOENT
							   : open_ours(which, seen.prog_id);
}

int tc_hook_find(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex)
{
	return tc_hook_find_nth(hook, which, ifindex, 0);
}

int tc_hook_find_nth(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
		     unsigned int nth)
{
	if (hook == STEER_TCX)
		return tcx_find(which, ifindex, nth);
	return nth == 0 ? clsact_find(which, ifindex) : -ENOENT;
}

int tc_hook_find_any(enum tc_hook hook, const struct tc_program *which)
{
	struct if_nameindex *all = if_nameindex();
	int fd = all ? -ENOENT : -errno;

	for (struct if_nameindex *i = all; i && i->if_index && fd < 0; i++) {
		int found = tc_hook_find(hook, which, i->if_index);

		/* A denial is told only if no program is found at all. */
		if (found != -ENOENT)
			fd = found;
	}
	if (all)
		if_freenameindex(all);
	return fd;
}

/* data counts the filters of somebody. */
static int on_filter(const struct nlmsghdr *message, void *data)
{
	int *count = data;

	if (message->nlmsg_type == RTM_NEWTFILTER)
		++*count;
	return MNL_CB_OK;
}

/* How many filters there are at TC_H_MIN_INGRESS or _EGRESS, or -errno. */
static int count_filters(unsigned int ifindex, __u32 minor)
{
	char buffer[ANSWER_BYTES] = {0};
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct tcmsg *tc;
	int count = 0;
	int more = MNL_CB_OK;

	if (!netlink)
		return -errno;
	request->nlmsg_type = RTM_GETTFILTER;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = 1;
	tc = mnl_nlmsg_put_extra_header(request, sizeof(*tc));
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, minor);
	if (mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(netlink, request, request->nlmsg_len) < 0)
		more = MNL_CB_ERROR;
	while (more == MNL_CB_OK) {
		ssize_t len = mnl_socket_recvfrom(netlink, buffer, sizeof(buffer));

		more = len < 0 ? MNL_CB_ERROR
			       : mnl_cb_run(buffer, (size_t)len, 1, mnl_socket_get_portid(netlink),
					    on_filter, &count);
	}
	if (more == MNL_CB_ERROR)
		count = -errno;
	mnl_socket_close(netlink);
	return count;
}

/* For a filter on a clsact that was there before. */
static enum handle clsact_handle(const struct bpf_tc_hook *hook, enum tc_priority priority)
{
	const enum tc_priority other =
		priority == TC_PRIORITY_STEER ? TC_PRIORITY_PACKETS : TC_PRIORITY_STEER;
	struct bpf_tc_opts seen;

	/* That in its place keeps its handle, so that it is replaced; what was made for another is
	 * for the last of them to take off. */
	if (clsact_query(hook, priority, &seen) == 0 || clsact_query(hook, other, &seen) == 0)
		return (enum handle)seen.handle;
	return HANDLE_GUEST;
}

static int clsact_attach(const struct tc_program *which, unsigned int ifindex, int program)
{
	struct bpf_tc_hook hook = ingress_of(ifindex);
	struct bpf_tc_opts opts;
	int err = bpf_tc_hook_create(&hook);
	const bool made = !err;

	if (err && err != -EEXIST)
		return err;
	filter_name(&opts, which->priority,
		    made ? HANDLE_OWN : clsact_handle(&hook, which->priority));
	opts.prog_fd = program;
	opts.flags = BPF_TC_F_REPLACE;
	err = bpf_tc_attach(&hook, &opts);
	if (err && made) {
		hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
		bpf_tc_hook_destroy(&hook);
	}
	return err;
}

/* 0 is no program's. */
static __u32 id_of(int program)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(program, &info, &len) ? 0 : info.id;
}

/* Fills seen when it is 1. */
static int clsact_look(const struct tc_program *which, unsigned int ifindex, int program,
		       struct bpf_tc_opts *seen)
{
	const struct bpf_tc_hook hook = ingress_of(ifindex);
	const int err = clsact_query(&hook, which->priority, seen);

	if (err)
		return means_none(err) ? 0 : err;
	return seen->prog_id == id_of(program) ? 1 : -EBUSY;
}

static int tcx_look(unsigned int ifindex, int program)
{
	__u32 ids[TCX_MAX];
	__u32 count = TCX_MAX;
	const __u32 wanted = id_of(program);
	int err = bpf_prog_query((int)ifindex, TCX_INGRESS, 0, NULL, ids, &count);

	for (__u32 i = 0; !err && i < count; i++)
		if (ids[i] == wanted)
			return 1;
	return err;
}

int tc_hook_look(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
		 int program)
{
	struct bpf_tc_opts seen;

	return hook == STEER_TCX ? tcx_look(ifindex, program)
				 : clsact_look(which, ifindex, program, &seen);
}

static int clsact_detach(const struct tc_program *which, unsigned int ifindex, int program)
{
	struct bpf_tc_hook hook = ingress_of(ifindex);
	struct bpf_tc_opts seen;
	struct bpf_tc_opts opts;
	int err;

	if (clsact_look(which, ifindex, program, &seen) != 1)
		return -ENOENT;
	filter_name(&opts, which->priority, (enum handle)seen.handle);
	err = bpf_tc_detach(&hook, &opts);
	if (err || opts.handle != HANDLE_OWN || count_filters(ifindex, TC_H_MIN_INGRESS) != 0 ||
	    count_filters(ifindex, TC_H_MIN_EGRESS) != 0)
		return err;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	return bpf_tc_hook_destroy(&hook);
}

static int tcx_attach(unsigned int ifindex, int program, int replaced)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, opts);

	if (replaced >= 0) {
		opts.flags = BPF_F_REPLACE;
		opts.replace_prog_fd = replaced;
	}
	return bpf_prog_attach_opts(program, (int)ifindex, TCX_INGRESS, &opts);
}

int tc_hook_attach(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
		   int program, int replaced)
{
	return hook == STEER_TCX ? tcx_attach(ifindex, program, replaced)
				 : clsact_attach(which, ifindex, program);
}

int tc_hook_detach(enum tc_hook hook, const struct tc_program *which, unsigned int ifindex,
		   int program)
{
	return hook == STEER_TCX ? bpf_prog_detach2(program, (int)ifindex, TCX_INGRESS)
				 : clsact_detach(which, ifindex, program);
}
