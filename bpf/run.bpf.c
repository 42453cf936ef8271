/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the processes of a cgroup connect to by TCP is replaced by a listener of hawserd's, and
 * remembered for it. UDP, this host, and whatever has no listener of its family are left alone. */
#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../include/hawser_run.h"

#define FAMILY_IPV4   2
#define FAMILY_IPV6   10
#define SOCKET_STREAM 1
#define PROTOCOL_TCP  6
#define STATE_CLOSED  7 /* TCP_CLOSE */
#define MAPPED	      bpf_htonl(0xffff)
#define PROCEED	      1

/* More connections at once than this lose only what getpeername() says. */
#define CONNECTIONS_MAX 16384

/* Keeps the compiler from loading through a pointer into the context that depends on the branch,
 * which the kernel refuses. */
#define BRANCH_END() __asm__ volatile("" ::: "memory")

/* Written by user space, at any time. */
struct hawser_run_address listener4;
struct hawser_run_address listener6;

const volatile __u64 netns_cookie; /* hawserd's: elsewhere loopback is another */

/* By the cookie of the client's socket: where it wanted to go. Until it is closed. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CONNECTIONS_MAX);
	__type(key, __u64);
	__type(value, struct hawser_run_address);
} destinations SEC(".maps");

/* The same by what accept() tells hawserd of a client. Until hawserd has it: the client may have
 * closed its socket before. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CONNECTIONS_MAX);
	__type(key, struct hawser_run_address);
	__type(value, struct hawser_run_address);
} clients SEC(".maps");

static __always_inline bool address_is_mapped(const struct hawser_run_address *address)
{
	return address->ip[0] == 0 && address->ip[1] == 0 && address->ip[2] == MAPPED;
}

/* This host, this link, or several hosts. */
static __always_inline bool address_stays_near(const struct hawser_run_address *address)
{
	__u32 first = bpf_ntohl(address->ip[0]);
	__u32 ipv4 = bpf_ntohl(address->ip[3]);

	if (address_is_mapped(address))
		return ipv4 == 0 || ipv4 >> 24 == 127 || ipv4 >> 16 == 0xa9fe || ipv4 >> 28 == 0xe;
	if (first == 0 && address->ip[1] == 0 && address->ip[2] == 0)
		return ipv4 <= 1;
	return first >> 22 == 0xfe80 >> 6 || first >> 24 == 0xff;
}

static __always_inline bool address_is_same(const struct hawser_run_address *a,
					    const struct hawser_run_address *b)
{
	return a->port == b->port && a->ip[0] == b->ip[0] && a->ip[1] == b->ip[1] &&
	       a->ip[2] == b->ip[2] && a->ip[3] == b->ip[3];
}

static __always_inline bool is_for_us(struct bpf_sock_addr *ctx)
{
	return ctx->type == SOCKET_STREAM && ctx->protocol == PROTOCOL_TCP &&
	       bpf_get_netns_cookie(ctx) == netns_cookie;
}

/* Whether to connect to the listener instead. A socket that is bound to a device would not reach
 * it, and was bound for a reason. */
static __always_inline bool redirect(struct bpf_sock_addr *ctx, struct hawser_run_address *to,
				     const struct hawser_run_address *listener)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);

	/* In a run within a run the inner one has redirected it. */
	if (address_is_same(to, listener))
		return false;
	if (listener->port != 0 && !address_stays_near(to) && !(ctx->sk && ctx->sk->bound_dev_if) &&
	    bpf_map_update_elem(&destinations, &cookie, to, BPF_ANY) == 0)
		return true;
	/* The same socket may have been redirected before, and failed to connect. */
	bpf_map_delete_elem(&destinations, &cookie);
	return false;
}

SEC("cgroup/connect4")
int hawser_connect4(struct bpf_sock_addr *ctx)
{
	struct hawser_run_address to = {};

	if (!is_for_us(ctx))
		return PROCEED;
	to.ip[2] = MAPPED;
	to.ip[3] = ctx->user_ip4;
	to.port = bpf_ntohs((__u16)ctx->user_port);
	if (redirect(ctx, &to, &listener4)) {
		ctx->user_ip4 = listener4.ip[3];
		ctx->user_port = bpf_htons((__u16)listener4.port);
	}
	return PROCEED;
}

SEC("cgroup/connect6")
int hawser_connect6(struct bpf_sock_addr *ctx)
{
	const struct hawser_run_address *listener = &listener6;
	struct hawser_run_address to = {};

	if (!is_for_us(ctx))
		return PROCEED;
	to.ip[0] = ctx->user_ip6[0];
	to.ip[1] = ctx->user_ip6[1];
	to.ip[2] = ctx->user_ip6[2];
	to.ip[3] = ctx->user_ip6[3];
	to.port = bpf_ntohs((__u16)ctx->user_port);
	if (address_is_mapped(&to))
		listener = &listener4;
	if (redirect(ctx, &to, listener)) {
		ctx->user_ip6[0] = listener->ip[0];
		ctx->user_ip6[1] = listener->ip[1];
		ctx->user_ip6[2] = listener->ip[2];
		ctx->user_ip6[3] = listener->ip[3];
		ctx->user_port = bpf_htons((__u16)listener->port);
	}
	return PROCEED;
}

/* Programs that check whom they are connected with see whom they asked for. */
SEC("cgroup/getpeername4")
int hawser_getpeername4(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	const struct hawser_run_address *to = bpf_map_lookup_elem(&destinations, &cookie);

	if (to && address_is_mapped(to)) {
		ctx->user_ip4 = to->ip[3];
		ctx->user_port = bpf_htons((__u16)to->port);
	}
	return PROCEED;
}

SEC("cgroup/getpeername6")
int hawser_getpeername6(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	const struct hawser_run_address *to = bpf_map_lookup_elem(&destinations, &cookie);

	if (to) {
		ctx->user_ip6[0] = to->ip[0];
		ctx->user_ip6[1] = to->ip[1];
		ctx->user_ip6[2] = to->ip[2];
		ctx->user_ip6[3] = to->ip[3];
		ctx->user_port = bpf_htons((__u16)to->port);
	}
	return PROCEED;
}

/* The client has its address by now, and hawserd cannot accept it before the ACK that follows. */
static __always_inline void remember_client(struct bpf_sock_ops *ops)
{
	__u64 cookie = bpf_get_socket_cookie(ops);
	const struct hawser_run_address *to = bpf_map_lookup_elem(&destinations, &cookie);
	struct hawser_run_address client = {};

	if (!to)
		return;
	if (ops->family == FAMILY_IPV6 &&
	    !(ops->remote_ip6[0] == 0 && ops->remote_ip6[1] == 0 && ops->remote_ip6[2] == MAPPED)) {
		client.ip[0] = ops->local_ip6[0];
		client.ip[1] = ops->local_ip6[1];
		client.ip[2] = ops->local_ip6[2];
		client.ip[3] = ops->local_ip6[3];
		BRANCH_END();
	} else {
		client.ip[2] = MAPPED;
		client.ip[3] = ops->local_ip4;
		BRANCH_END();
	}
	client.port = ops->local_port;
	bpf_map_update_elem(&clients, &client, to, BPF_ANY);
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

SEC("sockops")
int hawser_run_ops(struct bpf_sock_ops *ops)
{
	__u64 cookie;

	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB) {
		remember_client(ops);
	} else if (ops->op == BPF_SOCK_OPS_STATE_CB && ops->args[1] == STATE_CLOSED) {
		cookie = bpf_get_socket_cookie(ops);
		bpf_map_delete_elem(&destinations, &cookie);
	}
	return PROCEED;
}

char LICENSE[] SEC("license") = "GPL";
